package logging

import (
	"io"
	"log/slog"
	"os"

	"golang.org/x/term"
)

// Formats of a logger.
const (
	Auto = "auto" // text on a terminal, JSON otherwise
	Text = "text"
	JSON = "json"
)

// New returns a logger that writes to w. Level is one of slog's names in lower
// case; anything else means info.
func New(w io.Writer, format, level string) *slog.Logger {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		least = slog.LevelInfo
	}
	terminal := isTerminal(w)
	if format == Text || format == Auto && terminal {
		return slog.New(newTextHandler(w, least, terminal && os.Getenv("NO_COLOR") == ""))
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: least}))
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
