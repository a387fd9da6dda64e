package policy

import (
	"strings"
	"testing"
)

func TestIsTypeName(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"Route": true, "_x9": true, "A::B": true, "A::B::C": true, "AyyekaPath": true,
		"": false, "9a": false, "A:B": false, "A::": false, "::A": false, "A::::B": false, "A B": false, "a-b": false, "é": false, "A\n": false,
		strings.Repeat("a", 128): true, strings.Repeat("a", 129): false,
	} {
		if got := isTypeName(s); got != want {
			t.Errorf("isTypeName(%q) = %v", s, got)
		}
	}
}
