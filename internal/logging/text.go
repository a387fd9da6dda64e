package logging

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

// textHandler writes lines for people:
//
//	15:04:05 INFO  listening listener=gate url=http://127.0.0.1:8080
//	15:04:06 INFO  200 GET /v2.0/site 1.2ms bytes=612 listener=gate tenant=default
type textHandler struct {
	mu     *sync.Mutex // shared by all that came from one New
	w      io.Writer
	level  slog.Leveler
	colour bool
	prefix string // open groups, "a.b."
	attrs  []byte // those of With, already written
}

func newTextHandler(w io.Writer, level slog.Leveler, colour bool) *textHandler {
	return &textHandler{mu: new(sync.Mutex), w: w, level: level, colour: colour}
}

// Enabled implements slog.Handler.
func (h *textHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

// Handle implements slog.Handler.
func (h *textHandler) Handle(_ context.Context, r slog.Record) error {
	line := make([]byte, 0, 256)
	if !r.Time.IsZero() { // slog: a zero time is no time
		line = h.paint(line, dim, r.Time.Format("15:04:05 "))
	}
	line = h.paint(line, levelColour(r.Level), (r.Level.String() + "    ")[:max(5, len(r.Level.String()))])
	line = append(line, ' ')
	shown := 0
	if r.Message == requestMessage {
		line, shown = h.request(line, r)
	} else {
		line = h.paint(line, bold, clean(r.Message))
	}
	line = append(line, h.attrs...)
	r.Attrs(func(a slog.Attr) bool {
		if shown--; shown < 0 {
			line = h.attr(line, h.prefix, a)
		}
		return true
	})
	line = append(line, '\n')

	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := h.w.Write(line)
	return err
}

// request writes what everybody looks for first in the line of a request, and
// returns how many attributes that took. They come in the order in which
// [Requests] writes them.
func (h *textHandler) request(line []byte, r slog.Record) ([]byte, int) {
	var method, path, status, ms slog.Value
	n := 0
	r.Attrs(func(a slog.Attr) bool {
		for i, want := range [...]struct {
			key  string
			into *slog.Value
		}{{"method", &method}, {"path", &path}, {"status", &status}, {"ms", &ms}} {
			if n == i && a.Key == want.key {
				*want.into = a.Value
				n++
				return true
			}
		}
		return false
	})
	if n < 4 {
		return h.paint(line, bold, clean(r.Message)), 0
	}
	colour := green
	switch code := status.Int64(); {
	case code >= 500:
		colour = red
	case code >= 400:
		colour = yellow
	}
	line = h.paint(line, colour, status.String())
	line = append(line, ' ')
	line = h.paint(line, bold, method.String()+" "+clean(path.String()))
	line = append(line, ' ')
	return append(line, ms.String()+"ms"...), n
}

// WithAttrs implements slog.Handler.
func (h *textHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	next.attrs = slices.Clip(h.attrs)
	for _, a := range attrs {
		next.attrs = next.attr(next.attrs, h.prefix, a)
	}
	return &next
}

// WithGroup implements slog.Handler.
func (h *textHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	next := *h
	next.prefix += name + "."
	return &next
}

func (h *textHandler) attr(line []byte, prefix string, a slog.Attr) []byte {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, inner := range v.Group() {
			line = h.attr(line, prefix, inner)
		}
		return line
	}
	if a.Equal(slog.Attr{}) {
		return line
	}
	line = append(line, ' ')
	line = h.paint(line, dim, prefix+a.Key+"=")
	text := v.String()
	if v.Kind() == slog.KindTime {
		text = v.Time().Format("2006-01-02T15:04:05.000Z07:00")
	}
	if text == "" || strings.ContainsFunc(text, awkward) {
		return strconv.AppendQuote(line, text)
	}
	return append(line, text...)
}

// awkward characters make a value need quotes: it would read as two values, or
// move the reader's cursor.
func awkward(r rune) bool { return r == '"' || r == '=' || unicode.IsSpace(r) || !unicode.IsPrint(r) }

// clean keeps a message on its line and control sequences out of the terminal.
func clean(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r != ' ' && !unicode.IsPrint(r) }) {
		return s
	}
	quoted := strconv.Quote(s)
	return quoted[1 : len(quoted)-1]
}

const (
	bold   = "\x1b[1m"
	dim    = "\x1b[2m"
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	green  = "\x1b[32m"
	cyan   = "\x1b[36m"
	reset  = "\x1b[0m"
)

func (h *textHandler) paint(line []byte, colour, text string) []byte {
	if !h.colour {
		return append(line, text...)
	}
	return append(append(append(line, colour...), text...), reset...)
}

func levelColour(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return red
	case l >= slog.LevelWarn:
		return yellow
	case l >= slog.LevelInfo:
		return green
	}
	return cyan
}
