package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// shortestWatch keeps a watcher from being a flood.
const shortestWatch = 100 * time.Millisecond

// watch shows once again and again, until ctx ends. On a terminal the screen is
// drawn anew, and a server that is away for a while is waited for. Otherwise
// rounds follow each other, each below its time (with --json: one line each),
// and the first failure is the end, so that a script hears of it.
func (a *admin) watch(ctx context.Context, every time.Duration, once func() error) error {
	if every < shortestWatch {
		return fmt.Errorf("watch at most every %v", shortestWatch)
	}
	out := a.stdout
	_, _, screen := screenOf(out)
	for first := true; ; first = false {
		text, err := a.round(once)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && (first || !screen):
			return err
		case err != nil:
			text = []byte("Not reached: " + err.Error() + "\n")
		}
		if screen {
			height, width, _ := screenOf(out) // people resize
			text = drawn(text, time.Now(), height, width, first)
		} else {
			text = a.logged(text, time.Now())
		}
		if _, err := out.Write(text); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(every):
		}
	}
}

// round keeps what once prints.
func (a *admin) round(once func() error) ([]byte, error) {
	var b bytes.Buffer
	real, p := a.program, *a.program
	p.stdout = &b
	a.program = &p
	defer func() { a.program = real }()
	err := once()
	return b.Bytes(), err
}

// logged is a round for whoever reads it from a file or pipe.
func (a *admin) logged(text []byte, at time.Time) []byte {
	if !a.json {
		return append([]byte(at.Format(time.RFC3339)+"\n"), append(text, '\n')...)
	}
	var line bytes.Buffer
	if err := json.Compact(&line, text); err != nil {
		return text
	}
	line.WriteByte('\n')
	return line.Bytes()
}

const (
	clearAll  = "\x1b[2J"
	goHome    = "\x1b[H"
	clearLine = "\x1b[K"
	clearRest = "\x1b[J"
)

// drawn is a round for a terminal: over the last one, without a flicker, and no
// more of it than fits.
func drawn(text []byte, at time.Time, height, width int, first bool) []byte {
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	lines = append([]string{at.Format("15:04:05") + "  (Ctrl-C ends)"}, lines...)
	if height > 2 && len(lines) >= height {
		more := len(lines) - (height - 2)
		lines = append(lines[:height-2], fmt.Sprintf("… and %d more", more))
	}
	var b bytes.Buffer
	if first {
		b.WriteString(clearAll)
	}
	b.WriteString(goHome)
	for _, line := range lines {
		b.WriteString(cut(line, width) + clearLine + "\n")
	}
	b.WriteString(clearRest)
	return b.Bytes()
}

func cut(line string, width int) string {
	if width <= 0 || utf8.RuneCountInString(line) <= width {
		return line
	}
	return string([]rune(line)[:width])
}

// screenOf is the size of the terminal that w is.
func screenOf(w io.Writer) (height, width int, terminal bool) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0, 0, false
	}
	width, height, err := term.GetSize(int(f.Fd()))
	return height, width, err == nil
}
