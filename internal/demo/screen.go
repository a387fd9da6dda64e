package demo

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// screen writes for people. On a terminal it uses colour; elsewhere it is plain,
// so that it reads well in a log too.
type screen struct {
	mu     sync.Mutex
	w      io.Writer
	colour bool
	err    error
}

func newScreen(w io.Writer) *screen {
	f, ok := w.(*os.File)
	return &screen{w: w, colour: ok && term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == ""}
}

const (
	bold  = "\x1b[1m"
	dim   = "\x1b[2m"
	green = "\x1b[32m"
	red   = "\x1b[31m"
	cyan  = "\x1b[36m"
	plain = "\x1b[0m"
)

func (s *screen) in(colour, text string) string {
	if !s.colour || text == "" {
		return text
	}
	return colour + text + plain
}

func (s *screen) printf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		_, s.err = fmt.Fprintf(s.w, format, args...)
	}
}

func (s *screen) title(text, note string) {
	s.printf("\n  %s  %s\n\n", s.in(bold, text), s.in(dim, note))
}

// row is a name and what it stands for.
func (s *screen) row(name, value, note string) {
	s.printf("  %-9s %s%s %s\n", name, s.in(cyan, value), pad(value, 28), s.in(dim, note))
}

// pad is what is missing to a width, because colour does not count.
func pad(text string, width int) string {
	return strings.Repeat(" ", max(0, width-len([]rune(text))))
}

func (s *screen) section(name string) { s.printf("\n  %s\n", s.in(bold, name)) }

// step is one line of the proof.
func (s *screen) step(ok bool, what, how, note string, took time.Duration) {
	mark := s.in(green, "✓")
	if !ok {
		mark = s.in(red, "✗")
	}
	s.printf("  %s %s%s %s%s %9s  %s\n", mark, what, pad(what, 38), s.in(dim, how), pad(how, 30), pretty(took), s.in(dim, note))
}

// pretty is a time with three digits, which is all that people read.
func pretty(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// paste is a block of lines to copy.
func (s *screen) paste(comment string, lines ...string) {
	s.printf("\n  %s\n", s.in(dim, "# "+comment))
	for _, l := range lines {
		s.printf("  %s\n", l)
	}
}
