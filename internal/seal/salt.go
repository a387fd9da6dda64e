package seal

import (
	"context"
	"fmt"
	"slices"

	"gatehouse.dev/internal/secret"
)

// saltScope has the key that salts of names are made under. Names keep their
// salts for ever, so it has one version and is never rotated; rotating the
// master key wraps it anew and leaves it what it is.
var saltScope = Scope{Purpose: "salt"}

// SaltKey returns the installation's salt key, made when there is none.
func (k *Keeper) SaltKey(ctx context.Context) (secret.Key, error) {
	if _, err := k.withKey(ctx, saltScope); err != nil {
		return secret.Key{}, fmt.Errorf("salt key: %w", err)
	}
	rows, err := k.store.SealKeys(ctx, saltScope)
	if err != nil {
		return secret.Key{}, fmt.Errorf("salt key: %w", err)
	}
	// Should there ever be a second version, salts stay what the first made them.
	i := slices.IndexFunc(rows, func(w WrappedKey) bool { return w.Version == 1 && w.Erased.IsZero() })
	if i < 0 {
		return secret.Key{}, fmt.Errorf("salt key: %w", ErrErased)
	}
	raw, err := k.unwrap(rows[i])
	if err != nil {
		return secret.Key{}, fmt.Errorf("salt key: %w", err)
	}
	return secret.NewKey(raw), nil
}
