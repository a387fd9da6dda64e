package seal

import (
	"context"
	"time"
)

// Scope says what a data key is for.
type Scope struct {
	Tenant  string // tenant id; empty for the installation itself
	Purpose string // one of the Purpose constants, or a caller's own
	Person  string // principal id; empty unless the key is one person's
}

// The purposes of the core.
const (
	Data   = "data"    // rows of a tenant
	People = "person"  // rows of one person
	Lookup = "look-up" // keys of secret.Digester; never used to seal rows
)

// WrappedKey is a data key as the store keeps it.
type WrappedKey struct {
	ID string // "dek_…", stands in everything it seals
	Scope
	Version int64  // from 1; the newest seals
	Master  string // id of the master key that wrapped it
	Box     []byte // the wrapped key; empty once erased
	Created time.Time
	Erased  time.Time // zero: not erased
}

// Store is what this package needs from persistence. Boxes must be overwritten
// when they are erased, as far as the engine can (SQLite: secure_delete).
type Store interface {
	// AddSealKey stores k unless its scope has that version already or has
	// been erased, and returns the row that stands.
	AddSealKey(ctx context.Context, k WrappedKey) (WrappedKey, error)
	// SealKeys returns every version of exactly that scope, newest first,
	// erased ones included.
	SealKeys(ctx context.Context, s Scope) ([]WrappedKey, error)
	// EraseSealKeys empties the boxes of every version. Where there is none,
	// it stores k, which has no box, so that no key is made later.
	EraseSealKeys(ctx context.Context, k WrappedKey) error
	// SealKeysNotUnder returns keys with a box that another master key
	// wrapped, by id after that one.
	SealKeysNotUnder(ctx context.Context, master, after string, limit int) ([]WrappedKey, error)
	// RewrapSealKey replaces box and master if the key still is wrapped under
	// from; else it changes nothing.
	RewrapSealKey(ctx context.Context, id, from string, box []byte, master string) error
}
