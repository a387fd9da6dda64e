package bus

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckSubject(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"revocation", "feed.ten_1.sales-2", "A.b.C", strings.Repeat("x", 200)} {
		if err := CheckSubject(s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
	for _, s := range []string{"", ".", "a.", ".a", "a..b", "a b", "a.*", "a.>", "ä", "a\x00", "a\n", strings.Repeat("x", 201)} {
		if err := CheckSubject(s); !errors.Is(err, ErrSubject) {
			t.Errorf("%q: %v, want ErrSubject", s, err)
		}
	}
}

// What is taken for a subject has no empty word and nothing that a bus over the
// network would read as a wildcard or the end of a line.
func FuzzCheckSubject(f *testing.F) {
	for _, s := range []string{"revocation.log", "a..b", "a.*", "a\r\nPUB b 0", ".", strings.Repeat("a.", 100)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if CheckSubject(s) != nil {
			return
		}
		for _, word := range strings.Split(s, ".") {
			if word == "" || strings.ContainsAny(word, "*> \t\r\n\x00") {
				t.Errorf("%q is taken for a subject", s)
			}
		}
	})
}
