package forwarded

import (
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}

func request(peer string, header http.Header) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr, r.Host, r.Header = peer, "gate.example:8080", header
	return r
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	type H = http.Header
	for name, c := range map[string]struct {
		style  Style
		peer   string
		header H
		want   [3]string // remote, scheme, host
	}{
		"direct":           {"", "203.0.113.9:5", H{}, [3]string{"203.0.113.9", "http", "gate.example:8080"}},
		"direct, mapped":   {"", "[::ffff:203.0.113.9]:5", H{}, [3]string{"203.0.113.9", "http", "gate.example:8080"}},
		"unix socket":      {"", "@", H{"X-Forwarded-For": {"1.2.3.4"}}, [3]string{"invalid IP", "http", "gate.example:8080"}},
		"stranger's claim": {"", "203.0.113.9:5", H{"X-Forwarded-For": {"1.2.3.4"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"evil"}, "Forwarded": {"for=1.2.3.4"}}, [3]string{"203.0.113.9", "http", "gate.example:8080"}},
		"one proxy":        {"", "10.0.0.1:5", H{"X-Forwarded-For": {"203.0.113.9"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"api.example"}}, [3]string{"203.0.113.9", "https", "api.example"}},
		"forged beginning": {"", "10.0.0.1:5", H{"X-Forwarded-For": {"1.2.3.4, 203.0.113.9"}, "X-Forwarded-Proto": {"http, https"}}, [3]string{"203.0.113.9", "https", "gate.example:8080"}},
		"forged trusted":   {"", "10.0.0.1:5", H{"X-Forwarded-For": {"1.2.3.4, 10.9.9.9, 203.0.113.9"}}, [3]string{"203.0.113.9", "http", "gate.example:8080"}},
		"two lines":        {"", "10.0.0.1:5", H{"X-Forwarded-For": {"1.2.3.4", "203.0.113.9, 10.0.0.7"}}, [3]string{"203.0.113.9", "http", "gate.example:8080"}},
		"all trusted":      {"", "10.0.0.1:5", H{"X-Forwarded-For": {"10.0.0.3, 10.0.0.2"}}, [3]string{"10.0.0.3", "http", "gate.example:8080"}},
		"garbage entry":    {"", "10.0.0.1:5", H{"X-Forwarded-For": {"1.2.3.4, junk"}}, [3]string{"10.0.0.1", "http", "gate.example:8080"}},
		"with port":        {"", "10.0.0.1:5", H{"X-Forwarded-For": {"[2001:db8::1]:443"}}, [3]string{"2001:db8::1", "http", "gate.example:8080"}},
		"other family":     {"", "10.0.0.1:5", H{"Forwarded": {"for=1.2.3.4"}}, [3]string{"10.0.0.1", "http", "gate.example:8080"}},
		"rfc7239":          {RFC7239, "10.0.0.1:5", H{"Forwarded": {`for=1.2.3.4, for="[2001:db8::9]:80";proto=https;host="api.example:443", For=10.0.0.2`}}, [3]string{"2001:db8::9", "https", "api.example:443"}},
		"rfc7239 hidden":   {RFC7239, "10.0.0.1:5", H{"Forwarded": {`for=1.2.3.4, for=_hidden`}}, [3]string{"10.0.0.1", "http", "gate.example:8080"}},
		"rfc7239, x sent":  {RFC7239, "10.0.0.1:5", H{"X-Forwarded-For": {"1.2.3.4"}}, [3]string{"10.0.0.1", "http", "gate.example:8080"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, err := Trust{proxies, c.style}.Origin(request(c.peer, c.header))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, [3]string{o.Remote.String(), o.Scheme, o.Host}); diff != "" {
				t.Errorf("origin (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOriginRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		style  Style
		header http.Header
	}{
		"scheme":         {"", http.Header{"X-Forwarded-Proto": {"gopher"}}},
		"host with path": {"", http.Header{"X-Forwarded-Host": {"a/b"}}},
		"host with user": {"", http.Header{"X-Forwarded-Host": {"u@h"}}},
		"open quote":     {RFC7239, http.Header{"Forwarded": {`for="1.2.3.4, for=203.0.113.9`}}},
		"doubled for":    {RFC7239, http.Header{"Forwarded": {`for=203.0.113.9;for=1.2.3.4`}}},
		"no name":        {RFC7239, http.Header{"Forwarded": {`=x`}}},
		"junk":           {RFC7239, http.Header{"Forwarded": {`for="x"y`}}},
	} {
		if o, err := (Trust{proxies, c.style}).Origin(request("10.0.0.1:5", c.header)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, o, err)
		}
	}
}

func TestTLSIsHTTPS(t *testing.T) {
	t.Parallel()
	r := request("203.0.113.9:5", nil)
	r.TLS = &tls.ConnectionState{}
	if o, err := (Trust{}).Origin(r); err != nil || o.Scheme != "https" {
		t.Errorf("%+v, %v", o, err)
	}
}

// TestSetReadsBack: what a backend is told is what was established, in both
// families.
func TestSetReadsBack(t *testing.T) {
	t.Parallel()
	for _, remote := range []string{"203.0.113.9", "2001:db8::9"} {
		want := Origin{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr(remote), "https", "api.example:444"}
		for _, style := range []Style{XForwarded, RFC7239} {
			h := http.Header{}
			want.Set(h)
			got, err := Trust{proxies, style}.Origin(request("10.0.0.1:5", h))
			if err != nil || got != want {
				t.Errorf("%s: %+v, %v from %v", style, got, err, h)
			}
		}
	}
}

// TestNobodyAddsBeforeTheirProxy: whatever a client writes, the answer is the
// address that the nearest proxy saw.
func TestNobodyAddsBeforeTheirProxy(t *testing.T) {
	t.Parallel()
	piece := rapid.SampledFrom([]string{"1.2.3.4", "10.0.0.5", ",", " ", "for=", `"`, ";", "[::1]", "unknown", "x"})
	rapid.Check(t, func(t *rapid.T) {
		var forged string
		for _, p := range rapid.SliceOfN(piece, 0, 10).Draw(t, "forged") {
			forged += p
		}
		for style, h := range map[Style]http.Header{
			XForwarded: {"X-Forwarded-For": {forged, "203.0.113.9"}},
			RFC7239:    {"Forwarded": {forged, "for=203.0.113.9"}},
		} {
			o, err := Trust{proxies, style}.Origin(request("10.0.0.1:5", h))
			if err == nil && o.Remote.String() != "203.0.113.9" {
				t.Errorf("%s: %q made the client %v", style, forged, o.Remote)
			}
		}
	})
}

func FuzzParseForwarded(f *testing.F) {
	f.Add(`for=1.2.3.4;proto=https, for="[::1]:80"`)
	f.Add(`for="a\"b",;;by=x`)
	f.Fuzz(func(t *testing.T, s string) {
		elements, err := parseForwarded(s)
		if err == nil && len(elements) > maxHops {
			t.Errorf("%d elements", len(elements))
		}
	})
}
