package canonical

import (
	"bufio"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]struct {
		escaped string
		odd     Oddity
	}{
		"/":                {"/", 0},
		"/a/b":             {"/a/b", 0},
		"/a/":              {"/a/", 0},
		"/%41%7e%2D":       {"/A~-", 0},
		"/a%20b":           {"/a%20b", 0},
		"/a b":             {"/a%20b", 0},
		"/caf%c3%a9":       {"/caf%C3%A9", 0},
		"/café":            {"/caf%C3%A9", 0},
		"/a+b:c@d,e=f!$&'": {"/a+b:c@d,e=f!$&'", 0},
		"/%2B":             {"/%2B", 0},
		"/a?b":             {"/a%3Fb", 0},
		"/a#b":             {"/a%23b", 0},
		"/[x]\"<>":         {"/%5Bx%5D%22%3C%3E", 0},
		"/...":             {"/...", 0},
		"/.well-known":     {"/.well-known", 0},
		"/a..b":            {"/a..b", 0},
		"/a%2fb":           {"/a%2Fb", EncodedSlash},
		"/a%5cb":           {"/a%5Cb", EncodedBackslash},
		`/a\b`:             {"/a%5Cb", EncodedBackslash},
		"//a":              {"//a", EmptySegment},
		"/a//b":            {"/a//b", EmptySegment},
		"/a//":             {"/a//", EmptySegment},
		"/a;v=1/b":         {"/a;v=1/b", Semicolon},
		"/a%3bb":           {"/a%3Bb", 0},
		"/100%25":          {"/100%25", 0},
		"/100%25x":         {"/100%25x", 0},
		"/a%252fb":         {"/a%252fb", DoubleEscape},
		"/a%2fb//c;d":      {"/a%2Fb//c;d", EncodedSlash | EmptySegment | Semicolon},
	} {
		got, err := Parse(raw)
		if err != nil || got.Escaped != want.escaped || got.Odd != want.odd {
			t.Errorf("Parse(%q) = %q [%v], %v; want %q [%v]", raw, got.Escaped, got.Odd, err, want.escaped, want.odd)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]error{
		"":                         ErrNotAbsolute,
		"*":                        ErrNotAbsolute,
		"a/b":                      ErrNotAbsolute,
		"http://x/a":               ErrNotAbsolute,
		"/.":                       ErrDotSegment,
		"/..":                      ErrDotSegment,
		"/a/../b":                  ErrDotSegment,
		"/a/./b":                   ErrDotSegment,
		"/%2e%2E/b":                ErrDotSegment,
		"/a/.%2e":                  ErrDotSegment,
		"/a/..;x=1/b":              ErrDotSegment,
		"/a/..%3bx/b":              ErrDotSegment,
		"/a%2f..%2fb":              ErrDotSegment,
		"/a%2f%2e%2e":              ErrDotSegment,
		`/a\..\b`:                  ErrDotSegment,
		"/a%5c..":                  ErrDotSegment,
		"/%252e%252e/b":            ErrDotSegment,
		"/a%252f..":                ErrDotSegment,
		"/a%00":                    ErrControl,
		"/a%0d%0ab":                ErrControl,
		"/a\tb":                    ErrControl,
		"/a\x7f":                   ErrControl,
		"/%":                       ErrBadEscape,
		"/%4":                      ErrBadEscape,
		"/%zz":                     ErrBadEscape,
		"/%u002e":                  ErrBadEscape,
		"/%ff":                     ErrNotUTF8,
		"/%c0%ae%c0%ae/":           ErrNotUTF8, // an overlong dot
		"/\xff":                    ErrNotUTF8,
		"/%ed%a0%80":               ErrNotUTF8, // a surrogate
		strings.Repeat("/a", 5000): ErrTooLong,
	} {
		if got, err := Parse(raw); !errors.Is(err, want) {
			t.Errorf("Parse(%q) = %q, %v; want %v", raw, got.Escaped, err, want)
		}
	}
}

// seeds are the tricks that the fuzz targets and properties start from.
var seeds = []string{"/a/b", "/a%2fb", "/..", "/a;b/..;/", "/%252e", "//", `/\`, "/é%c3%a9", "/%", "/a b", "/%5b[", "/'"}

// check states what must hold of every accepted path.
func check(t interface{ Errorf(string, ...any) }, raw string) {
	p, err := Parse(raw)
	if err != nil {
		return
	}
	// Reading the forwarded text again changes nothing: decided = forwarded.
	again, err := Parse(p.Escaped)
	if err != nil || again != p {
		t.Errorf("Parse(%q) = %+v, and again %+v, %v", raw, p, again, err)
	}
	if d, err := url.PathUnescape(p.Escaped); err != nil || d != p.Decoded {
		t.Errorf("Parse(%q): decoded %q, but %q decodes to %q, %v", raw, p.Decoded, p.Escaped, d, err)
	}
	if d, err := url.PathUnescape(raw); err != nil || d != p.Decoded {
		t.Errorf("Parse(%q): decoded %q, but the original decodes to %q, %v", raw, p.Decoded, d, err)
	}
	// However often a backend decodes, and whatever it takes for a separator,
	// it finds no way up.
	for view, rounds := p.Escaped, 0; rounds < 3; rounds++ {
		for _, segment := range strings.FieldsFunc(view, func(r rune) bool { return r == '/' || r == '\\' }) {
			segment, _, _ = strings.Cut(segment, ";")
			if (segment == "." || segment == "..") && (rounds < 2 || p.Odd&DoubleEscape == 0) {
				t.Errorf("Parse(%q) = %q has %q after %d rounds of decoding", raw, p.Escaped, segment, rounds)
			}
		}
		if view, err = url.PathUnescape(view); err != nil {
			break
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) { check(t, raw) })
}

func TestParseProperty(t *testing.T) {
	t.Parallel()
	piece := rapid.SampledFrom([]string{"/", "a", ".", "..", "%2e", "%2E", "%2f", "%5c", `\`, ";", "%3b", "%25", "%252e", "%00", "é", "%c3", "%a9", " ", "%", "x=1", "+"})
	rapid.Check(t, func(t *rapid.T) {
		check(t, "/"+strings.Join(rapid.SliceOfN(piece, 0, 8).Draw(t, "pieces"), ""))
	})
}

// TestForwardedAsDecided: what a Go server receives when the path is put in a
// URL is what was decided on, byte for byte.
func TestForwardedAsDecided(t *testing.T) {
	t.Parallel()
	piece := rapid.SampledFrom([]string{"/", "a", "%2f", "%5c", ";", "%25", "é", "'", "(", "[", "%20", ":", "@", "%7b", "%23", "~"})
	rapid.Check(t, func(t *rapid.T) {
		p, err := Parse("/" + strings.Join(rapid.SliceOfN(piece, 0, 8).Draw(t, "pieces"), ""))
		if err != nil {
			return
		}
		u := &url.URL{Scheme: "http", Host: "b", Path: p.Decoded, RawPath: p.Escaped}
		var line strings.Builder
		if err := (&http.Request{Method: "GET", URL: u, Header: http.Header{}}).Write(&line); err != nil {
			t.Fatal(err)
		}
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(line.String())))
		if err != nil || r.RequestURI != p.Escaped {
			t.Errorf("decided on %q, sent %q, %v", p.Escaped, line.String(), err)
		}
	})
}

func TestOddityNames(t *testing.T) {
	t.Parallel()
	for _, n := range oddityNames {
		if got, err := ParseOddity(n.name); err != nil || got != n.bit || n.bit.String() != n.name {
			t.Errorf("%s: %v, %v, %s", n.name, got, err, n.bit)
		}
	}
	if _, err := ParseOddity(".."); err == nil {
		t.Error("dot segments can be allowed")
	}
}

func BenchmarkParse(b *testing.B) {
	for _, path := range []string{"/v2.0/site/17", "/v2.0/caf%c3%a9/17"} {
		b.Run(path, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(path); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
