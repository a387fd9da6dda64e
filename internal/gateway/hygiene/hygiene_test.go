package hygiene

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRequest(t *testing.T) {
	t.Parallel()
	in := http.Header{
		"Accept":                 {"*/*"},
		"Authorization":          {"Bearer x"},
		"X-Api-Key":              {"k"},
		"Cookie":                 {"a=1; gatehouse_session=s", "__Host-gatehouse-csrf=t; b=2"},
		"Connection":             {"keep-alive, X-Private", "close"},
		"X-Private":              {"1"},
		"Keep-Alive":             {"timeout=5"},
		"Te":                     {"gzip, trailers"},
		"Upgrade":                {"h2c"},
		"Http2-Settings":         {"x"},
		"Proxy-Authorization":    {"Basic x"},
		"X-Forwarded-For":        {"1.2.3.4"},
		"X_forwarded_for":        {"1.2.3.4"},
		"Forwarded":              {"for=1.2.3.4"},
		"X-Real-Ip":              {"1.2.3.4"},
		"X-Original-Url":         {"/admin"},
		"X-Http-Method-Override": {"DELETE"},
		"Proxy":                  {"evil:80"},
		"Expect":                 {"100-continue"},
		"X-Request-Id":           {"r"},
	}
	for name, c := range map[string]struct {
		rules Rules
		want  http.Header
	}{
		"strict": {Rules{Keys: []string{"X-Api-Key"}}, http.Header{
			"Accept": {"*/*"}, "Cookie": {"a=1; b=2"}, "Te": {"trailers"}, "Expect": {"100-continue"}, "X-Request-Id": {"r"},
		}},
		"passing": {Rules{Keys: []string{"X-Api-Key"}, PassCredential: true, Pass: []string{"X-Http-Method-Override", "X-Forwarded-For"}}, http.Header{
			"Accept": {"*/*"}, "Cookie": {"a=1; b=2"}, "Te": {"trailers"}, "Expect": {"100-continue"}, "X-Request-Id": {"r"},
			"Authorization": {"Bearer x"}, "X-Api-Key": {"k"}, "X-Http-Method-Override": {"DELETE"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := c.rules.Request(&http.Request{Header: in})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
		})
	}
}

// lookAlikes are names that some server takes for the identity header.
var lookAlikes = []string{
	"Gatehouse-Identity", "gatehouse-identity", "GATEHOUSE_IDENTITY", "Gatehouse_Identity", "GatehouseIdentity",
	"Gatehouse--Identity", "-Gatehouse-Identity", "_gatehouse_identity_", "Gate-House-Identity", "Gatehouse.Identity",
	"g.a!t#e$h%o&u'se*i+d^e`n|t~ity", "Gatehouse-Identity" + strings.Repeat("-", 60),
}

func TestLookAlikes(t *testing.T) {
	t.Parallel()
	rules := Rules{PassCredential: true, Pass: lookAlikes}
	for _, name := range lookAlikes {
		if got := rules.Request(&http.Request{Header: http.Header{name: {"x"}}}); len(got) != 0 {
			t.Errorf("header %q passed", name)
		}
		if rules.Trailer(name) {
			t.Errorf("trailer %q passed", name)
		}
		got := http.Header{}
		if Response(got, http.Header{name: {"x"}}); len(got) != 0 {
			t.Errorf("response header %q passed", name)
		}
	}
	for _, name := range []string{"Gatehouse-Identity-2", "Gatehouse-Id", "Identity", "X-Gatehouse-Identity"} {
		if got := rules.Request(&http.Request{Header: http.Header{name: {"x"}}}); len(got) != 1 {
			t.Errorf("header %q was dropped", name)
		}
	}
}

// TestOthersWords: names by which other proxies say who calls, and names that
// become those of framing where headers are environment variables.
func TestOthersWords(t *testing.T) {
	t.Parallel()
	rules := Rules{Pass: []string{"X-Forwarded-Email", "Content_length"}}
	for _, name := range []string{
		"X-Forwarded-Client-Cert", "X-Forwarded-Email", "X_forwarded_groups", "X-Forwarded-" + strings.Repeat("a", 90),
		"Content_length", "Transfer_encoding", "Content.Length",
	} {
		if got := rules.Request(&http.Request{Header: http.Header{name: {"x"}}}); len(got) != 0 {
			t.Errorf("header %q passed", name)
		}
	}
	if got := rules.Request(&http.Request{Header: http.Header{"X-Forward": {"x"}, "Content-Length-Hint": {"x"}}}); len(got) != 2 {
		t.Errorf("ordinary headers were dropped: %v", got)
	}
}

func TestTrailer(t *testing.T) {
	t.Parallel()
	rules := Rules{Keys: []string{"X-Api-Key"}}
	for _, name := range []string{"authorization", "X-Api-Key", "Cookie", "X-Forwarded-For", "Transfer-Encoding", "Content-Length", "Host"} {
		if rules.Trailer(name) {
			t.Errorf("trailer %q passed", name)
		}
	}
	if !rules.Trailer("X-Checksum") {
		t.Error("an ordinary trailer was dropped")
	}
}

func TestResponse(t *testing.T) {
	t.Parallel()
	dst := http.Header{"Access-Control-Allow-Origin": {"https://a"}}
	Response(dst, http.Header{
		"Access-Control-Allow-Origin": {"*"}, "Content-Type": {"text/plain"}, "Content-Length": {"3"},
		"Connection": {"close, X-Hop"}, "X-Hop": {"1"}, "Transfer-Encoding": {"chunked"}, "Keep-Alive": {"x"},
		"Set-Cookie": {"a=1", "__Secure-Gatehouse_session=x; Path=/", "b=2"}, "Trailer": {"X"},
	})
	want := http.Header{
		"Access-Control-Allow-Origin": {"https://a"}, "Content-Type": {"text/plain"}, "Content-Length": {"3"},
		"Set-Cookie": {"a=1", "b=2"},
	}
	if diff := cmp.Diff(want, dst); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}

func FuzzReserved(f *testing.F) {
	for _, n := range lookAlikes {
		f.Add(n)
	}
	f.Add("X_Real_IP")
	f.Fuzz(func(t *testing.T, name string) {
		folded := strings.Map(func(r rune) rune {
			if r < 0x80 && alnum(byte(r)) {
				return r
			}
			return -1
		}, strings.ToLower(strings.ToValidUTF8(ascii(name), "")))
		_, want := reserved[folded]
		if got, _ := Reserved(name); got != want {
			t.Errorf("Reserved(%q) = %v, folded %q", name, got, folded)
		}
		if got := name != "" && Identity(name); got != (folded == "gatehouseidentity") {
			t.Errorf("Identity(%q) = %v, folded %q", name, got, folded)
		}
	})
}

// ascii drops bytes above ASCII: lower-casing a Kelvin sign must not make a k.
func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 {
			return r
		}
		return -1
	}, s)
}

func BenchmarkRequest(b *testing.B) {
	r := &http.Request{Header: http.Header{
		"Accept": {"*/*"}, "Accept-Encoding": {"gzip"}, "User-Agent": {"x"}, "Authorization": {"Bearer x"},
		"Connection": {"keep-alive"}, "X-Request-Id": {"r"}, "Content-Type": {"application/json"},
	}}
	rules := Rules{}
	b.ReportAllocs()
	for b.Loop() {
		rules.Request(r)
	}
}
