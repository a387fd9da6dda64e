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
	width  int // of a line; 0: no bound
	err    error
}

func newScreen(w io.Writer) *screen {
	s := &screen{w: w}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return s
	}
	s.colour = os.Getenv("NO_COLOR") == ""
	if width, _, err := term.GetSize(int(f.Fd())); err == nil {
		s.width = width
	}
	return s
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
	if note == "" {
		s.printf("  %-9s %s\n", name, s.in(cyan, value))
		return
	}
	value += pad(value, 32)
	s.printf("  %-9s %s %s\n", name, s.in(cyan, value), s.in(dim, s.fit(note, 13+len([]rune(value)))))
}

// fit is text, or as much of it as goes behind used columns. What is to be
// copied is never shortened.
func (s *screen) fit(text string, used int) string {
	r := []rune(text)
	if s.width == 0 || used+len(r) <= s.width {
		return text
	}
	if left := s.width - used - 1; left > 0 {
		return string(r[:left]) + "…"
	}
	return ""
}

// pad is what is missing to a width, because colour does not count.
func pad(text string, width int) string {
	return strings.Repeat(" ", max(0, width-len([]rune(text))))
}

func (s *screen) section(name string) { s.printf("\n  %s\n", s.in(bold, name)) }

// wide is what a step takes with the request that it made.
const wide = 100

// step is one line of the proof. On a narrow screen it goes without the request.
func (s *screen) step(ok bool, what, how, note string, took time.Duration) {
	mark := s.in(green, "✓")
	if !ok {
		mark = s.in(red, "✗")
	}
	line := what + pad(what, 38) + " "
	used := 4 + len([]rune(line)) + 9 + 2
	if s.width == 0 || s.width >= wide {
		line += s.in(dim, how) + pad(how, 30) + " "
		used += 31
	}
	s.printf("  %s %s%9s  %s\n", mark, line, pretty(took), s.in(dim, s.fit(note, used)))
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
