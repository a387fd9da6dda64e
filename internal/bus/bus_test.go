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
