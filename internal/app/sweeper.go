package app

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"gatehouse.dev/internal/store"
)

// sweeper removes what has had its time. Nodes may sweep side by side; each
// sweep is many small transactions.
type sweeper struct {
	store  sweepable
	logger *slog.Logger
}

type sweepable interface {
	Sweep(ctx context.Context, r store.Retention) (int64, error)
	SweepTokens(ctx context.Context, before time.Time) (int64, error)
	SweepTickets(ctx context.Context, before time.Time) (int64, error)
	SweepGrants(ctx context.Context, before time.Time) (int64, error)
}

const (
	firstSweep = time.Minute // after the start, which has better to do
	sweepEvery = time.Hour
)

// run sweeps until ctx ends. A sweep that fails is told and tried again next
// time: nothing depends on it but space.
func (s *sweeper) run(ctx context.Context) error {
	next := time.NewTimer(firstSweep)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-next.C:
			s.sweep(ctx)
			// Not all nodes at once.
			next.Reset(sweepEvery + rand.N(sweepEvery/10))
		}
	}
}

func (s *sweeper) sweep(ctx context.Context) {
	for _, part := range []struct {
		name  string
		sweep func() (int64, error)
	}{
		{"log and receipts", func() (int64, error) { return s.store.Sweep(ctx, store.DefaultRetention) }},
		{"tokens", func() (int64, error) { return s.store.SweepTokens(ctx, time.Now().Add(-24*time.Hour)) }},
		{"tickets", func() (int64, error) { return s.store.SweepTickets(ctx, time.Now().Add(-time.Hour)) }},
		{"grants", func() (int64, error) { return s.store.SweepGrants(ctx, time.Now().Add(-24*time.Hour)) }},
	} {
		n, err := part.sweep()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.logger.Warn("could not sweep", "what", part.name, "error", err)
		case n > 0:
			s.logger.Debug("swept", "what", part.name, "rows", n)
		}
	}
}
