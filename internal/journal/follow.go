package journal

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"gatehouse.dev/internal/revocation"
)

const (
	followEvery = time.Second
	followBatch = 1000
	markEvery   = time.Minute
)

// Source is where a follower reads the revocation log.
type Source interface {
	RevocationsSince(ctx context.Context, n int64, limit int) (revocation.Batch, error)
}

// Follower copies the revocation log into a journal. It goes on where the
// journal ended, also after a crash: the tail of the log starts at its head
// then, and would leave out what was revoked in between.
type Follower struct {
	Journal      *Journal
	Source       Source
	Installation string // whose log it is: the id of its default tenant
	Log          *slog.Logger
	Wake         <-chan struct{} // optional: a revocation was applied here

	marked time.Time
}

// Run follows until ctx ends, and then copies what is left. Errors are logged
// and tried again; they stop no revocation.
func (f *Follower) Run(ctx context.Context) error {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	failing := false
	for {
		err := f.catchUp(ctx)
		if err != nil && ctx.Err() == nil && !failing {
			f.Log.Error("revocations cannot be written to the journal; trying again", "error", err)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			return f.catchUp(last)
		case <-tick.C:
		case <-f.Wake:
		}
	}
}

// catchUp copies everything after the journal's last entry. A restored database
// gives no number again that the one before it may have given, so a number
// alone says where to go on.
func (f *Follower) catchUp(ctx context.Context) error {
	for {
		last := f.Journal.Last()
		b, err := f.Source.RevocationsSince(ctx, last.N, followBatch)
		if err != nil {
			return fmt.Errorf("read revocations for the journal: %w", err)
		}
		if err := f.Journal.AppendRevocations(b.Incarnation, b.Entries); err != nil {
			return err
		}
		if len(b.Entries) < followBatch {
			return f.mark(b)
		}
	}
}

// mark notes each minute that nothing is missing up to here.
func (f *Follower) mark(b revocation.Batch) error {
	now := time.Now()
	if now.Sub(f.marked) < markEvery {
		return nil
	}
	err := f.Journal.AppendMark(Mark{Installation: f.Installation, Incarnation: b.Incarnation, N: b.Head, At: now.UnixMicro()})
	if err == nil {
		f.marked = now
	}
	return err
}
