package seal

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// Rewrap wraps every data key that an older master key wrapped under the
// current one. It may be interrupted and called again, and run on several
// nodes at once. It returns how many keys it found.
func (k *Keeper) Rewrap(ctx context.Context) (int, error) {
	const batch = 200
	current, after, n := k.masters.Current(), "", 0
	for {
		rows, err := k.store.SealKeysNotUnder(ctx, current, after, batch)
		if err != nil {
			return n, fmt.Errorf("rewrap data keys: %w", err)
		}
		for _, w := range rows {
			after = w.ID
			from := w.Master
			raw, err := k.unwrap(w)
			if err != nil {
				return n, fmt.Errorf("rewrap data keys: %w", err)
			}
			k.wrap(&w, raw)
			if err := k.store.RewrapSealKey(ctx, w.ID, from, w.Box, w.Master); err != nil {
				return n, fmt.Errorf("rewrap data keys: %w", err)
			}
			n++
		}
		if len(rows) < batch {
			return n, nil
		}
	}
}

// rewrapAgain is how long Run waits before it tries again.
const rewrapAgain = time.Minute

// Run takes part in a rotation of the master key until ctx ends: where the
// master key file has several keys, it rewraps whatever is under an older one
// and then says that these lines may go. With one key there is nothing to do.
func (k *Keeper) Run(ctx context.Context, logger *slog.Logger) {
	if len(k.masters.keys) > 1 {
		k.rewrapUntilDone(ctx, logger)
	}
	<-ctx.Done()
}

func (k *Keeper) rewrapUntilDone(ctx context.Context, logger *slog.Logger) {
	for {
		n, err := k.Rewrap(ctx)
		if err == nil {
			logger.InfoContext(ctx, "all data keys are wrapped by the first master key; once every node has started with it, the other lines may be taken out of the file",
				"master_key", k.masters.Current(), "rewrapped", n)
			return
		}
		if ctx.Err() != nil {
			return
		}
		logger.ErrorContext(ctx, "data keys are not all wrapped by the first master key yet; keep the other lines", "error", err)
		select {
		case <-time.After(rewrapAgain):
		case <-ctx.Done():
			return
		}
	}
}
