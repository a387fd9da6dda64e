package country

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"sync/atomic"
	"time"
)

// lookPause is how often a file is looked at for a newer one.
const lookPause = 30 * time.Second

// File is the table in a file, taken up again when the file changes.
type File struct {
	name  string
	table atomic.Pointer[Table]
	seen  os.FileInfo
}

// Open reads a file.
func Open(name string) (*File, error) {
	f := &File{name: name}
	return f, f.load()
}

// Country is as Table.Country.
func (f *File) Country(a netip.Addr) string { return f.table.Load().Country(a) }

// Run takes up newer files until ctx ends. One that cannot be read changes
// nothing.
func (f *File) Run(ctx context.Context, logger *slog.Logger) error {
	tick := time.NewTicker(lookPause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			f.look(logger)
		}
	}
}

func (f *File) look(logger *slog.Logger) {
	now, err := os.Stat(f.name)
	if err == nil && now.Size() == f.seen.Size() && now.ModTime().Equal(f.seen.ModTime()) && os.SameFile(now, f.seen) {
		return
	}
	if err == nil {
		err = f.load()
	}
	if err != nil {
		logger.Error("the table of countries cannot be read; the one before it stays", "file", f.name, "error", err)
		return
	}
	logger.Info("took up a table of countries", "file", f.name)
}

func (f *File) load() error {
	r, err := os.Open(f.name)
	if err != nil {
		return fmt.Errorf("open table of countries: %w", err)
	}
	defer r.Close()
	seen, err := r.Stat()
	if err != nil {
		return fmt.Errorf("open table of countries: %w", err)
	}
	t, err := Read(r)
	if err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	f.seen = seen
	f.table.Store(t)
	return nil
}
