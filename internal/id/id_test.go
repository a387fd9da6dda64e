package id

import (
	"regexp"
	"testing"
	"time"
)

func TestShape(t *testing.T) {
	t.Parallel()
	for prefix, next := range map[string]func() string{
		"cre": func() string { return New("cre") },
		"aud": func() string { return Dated("aud", time.Unix(1, 0)) },
		"req": Request,
	} {
		shape := regexp.MustCompile("^" + prefix + "_[0-9a-hjkmnp-tv-z]{26}$")
		seen := draw(t, next, shape)
		if len(seen) != 1000 {
			t.Errorf("%s: of 1000 ids %d differ", prefix, len(seen))
		}
		for s := range seen {
			if Prefix(s) != prefix {
				t.Errorf("%s begins with %q", s, Prefix(s))
			}
		}
	}
}

func TestDated(t *testing.T) {
	t.Parallel()
	last := ""
	for at := time.Unix(0, 0); at.Year() < 10_000; at = at.AddDate(7, 0, 0).Add(time.Millisecond) {
		s := Dated("aud", at)
		if s <= last {
			t.Errorf("%v: %s does not sort behind %s", at, s, last)
		}
		last = s
	}
}

func draw(t *testing.T, next func() string, shape *regexp.Regexp) map[string]bool {
	t.Helper()
	seen := map[string]bool{}
	for range 1000 {
		s := next()
		if !shape.MatchString(s) {
			t.Fatalf("%q", s)
		}
		seen[s] = true
	}
	return seen
}

func BenchmarkRequest(b *testing.B) {
	b.Run("stored", func(b *testing.B) {
		for b.Loop() {
			New("req")
		}
	})
	b.Run("request", func(b *testing.B) {
		for b.Loop() {
			Request()
		}
	})
}
