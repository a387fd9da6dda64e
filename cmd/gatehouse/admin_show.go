package main

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gatehouse.dev/internal/adminapi"
)

// table is rows below a head, in columns as wide as their widest cell.
type table struct {
	head  []string
	rows  [][]string
	empty string // said when there are no rows
}

const gap = "  "

func (t table) write(w io.Writer) error {
	if len(t.rows) == 0 {
		_, err := fmt.Fprintln(w, t.empty)
		return err
	}
	width := make([]int, len(t.head))
	all := append([][]string{t.head}, t.rows...)
	for _, row := range all {
		for i, cell := range row {
			row[i] = printable(cell)
			width[i] = max(width[i], utf8.RuneCountInString(row[i]))
		}
	}
	var b strings.Builder
	for _, row := range all {
		var line strings.Builder
		for i, cell := range row {
			if i > 0 {
				line.WriteString(gap)
			}
			line.WriteString(cell)
			line.WriteString(strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell)))
		}
		b.WriteString(strings.TrimRight(line.String(), " "))
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// printable keeps what others have written from steering a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '·'
		}
		return r
	}, s)
}

// fields prints names and values below each other; empty values are left out.
func fields(w io.Writer, pairs ...string) error {
	width := 0
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			width = max(width, len(pairs[i]))
		}
	}
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			fmt.Fprintf(&b, "%-*s  %s\n", width+1, pairs[i]+":", printable(pairs[i+1]))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// day is a time as lists show it, in the zone of whoever reads.
func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04")
}

func dayOf(t *time.Time) string {
	if t == nil {
		return ""
	}
	return day(*t)
}

// ago is how long ago something was, roughly.
func ago(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return span(time.Since(*t)) + " ago"
}

// lastUse is how long ago something was used, and from where.
func lastUse(t *time.Time, from string) string {
	if t == nil || from == "" {
		return ago(t)
	}
	return ago(t) + " from " + from
}

func span(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// receipt says what a change has ended, one line for each node.
func (p *program) receipt(done string, r adminapi.Receipt) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", done)
	for _, n := range r.Nodes {
		fmt.Fprintf(&b, "  %s: ended %s in %.1f ms\n", printable(n.Node), count(n.SocketsClosed, "connection"), n.MS)
	}
	for _, n := range r.Unreached {
		fmt.Fprintf(&b, "  %s: has not answered; it obeys within 30 s or serves nobody\n", printable(n))
	}
	if len(r.Unreached) > 0 {
		fmt.Fprintf(&b, "Ask again with: gatehouse change show %d\n", r.Change)
	}
	_, err := io.WriteString(p.stdout, b.String())
	return err
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// secretOnce prints a fresh secret. The notice goes to the error output, so
// that the secret alone can be piped.
func (p *program) secretOnce(pairs ...string) error {
	if err := fields(p.stdout, pairs...); err != nil {
		return err
	}
	_, err := fmt.Fprintln(p.stderr, "\nThis is the only time that the secret is shown. Keep it now.")
	return err
}
