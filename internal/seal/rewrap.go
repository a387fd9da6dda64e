package seal

import (
	"context"
	"fmt"
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
