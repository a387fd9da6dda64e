package demo

import (
	"strings"
	"testing"
	"time"
)

// TestNarrowScreen: no line of the proof is longer than the screen, and what is
// shortened shows it.
func TestNarrowScreen(t *testing.T) {
	t.Parallel()
	for _, width := range []int{60, 80, 100, 120} {
		var b strings.Builder
		s := &screen{w: &b, width: width}
		s.row("backend", "http://127.0.0.1:37039", "a sample, reached over HTTP like any other")
		s.step(true, "open a socket, say hello, hear it back", "GET /v2.0/user/uiPreferences", "a signed identity: demo, ayyeka/operator", time.Millisecond)
		for line := range strings.Lines(b.String()) {
			line = strings.TrimRight(line, "\n")
			if n := len([]rune(line)); n > width {
				t.Errorf("%d columns on a screen of %d: %q", n, width, line)
			}
		}
		if has := strings.Contains(b.String(), "uiPreferences"); has != (width >= wide) {
			t.Errorf("on %d columns the request is shown: %v", width, has)
		}
	}
}

func TestWithoutScreenNothingIsShortened(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	note := strings.Repeat("long ", 40) + "end"
	newScreen(&b).step(true, "what", "how", note, time.Second)
	if !strings.Contains(b.String(), note) {
		t.Errorf("shortened: %q", b.String())
	}
}
