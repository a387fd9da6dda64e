package seal

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gatehouse.dev/internal/secret"
)

// Settle is how old a version of the look-up key must be before a node digests
// under it. Younger ones are only recognised. Nodes that started before the
// rotation do not know it, and would refuse what was digested under it.
const Settle = 24 * time.Hour

var lookupScope = Scope{Purpose: Lookup}

// Digester returns the installation's digester, making its look-up key when
// there is none. Rotating ([Keeper.RotateLookup]) takes effect when nodes
// start: restart each once within a day, and again whenever it suits.
// Rotating the master key changes nothing here.
func (k *Keeper) Digester(ctx context.Context) (*secret.Digester, error) {
	if _, err := k.withKey(ctx, lookupScope); err != nil {
		return nil, fmt.Errorf("look-up key: %w", err)
	}
	rows, err := k.store.SealKeys(ctx, lookupScope)
	if err != nil {
		return nil, fmt.Errorf("look-up key: %w", err)
	}
	slices.SortFunc(rows, func(a, b WrappedKey) int { return int(b.Version - a.Version) })
	versions := make([]secret.LookupKey, len(rows))
	current := -1
	for i, w := range rows {
		raw, err := k.unwrap(w)
		if err != nil {
			return nil, fmt.Errorf("look-up key: %w", err)
		}
		versions[i] = secret.LookupKey{Version: uint32(w.Version), Key: raw}
		settled := w.Version == 1 || k.now().Sub(w.Created) >= Settle
		if current < 0 && settled {
			current = i
		}
	}
	if current < 0 { // the first version cannot be missing
		return nil, fmt.Errorf("look-up key: no version has settled")
	}
	others := slices.Delete(slices.Clone(versions), current, current+1)
	return secret.NewDigester(versions[current], others...)
}

// RotateLookup adds a version of the look-up key.
func (k *Keeper) RotateLookup(ctx context.Context) error { return k.RotateKey(ctx, lookupScope) }
