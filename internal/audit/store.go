package audit

import (
	"context"
	"errors"
	"time"

	"gatehouse.dev/internal/seal"
)

// ErrMoved is returned by SealEvents when the chain does not end where the
// sealer believed: another one was faster.
var ErrMoved = errors.New("the audit chain has moved on")

// Filter narrows a listing; zero fields match all.
type Filter struct {
	Tenant  string
	Actor   string
	Action  string // exactly, or with a final "*" by its beginning
	Target  string
	Person  string
	Outcome Outcome
	Since   time.Time // inclusive
	Until   time.Time // exclusive
	After   int64     // Number to go on after (or before, when Newest)
	Newest  bool      // newest first; else in order of arrival
	Limit   int       // 0: 100; at most 1000
}

// Store is what the audit record needs from persistence. Every event that a
// store is given, here or with a change, goes through [Prepare] first.
type Store interface {
	// AppendEvents adds rows that are not chained yet. An id that is there
	// already is skipped, so that a batch can be sent again.
	AppendEvents(ctx context.Context, events []Event) error
	// Events lists rows.
	Events(ctx context.Context, f Filter) ([]Row, error)

	// AcquireLease gives or renews the named lease for ttl, by the database's
	// clock, unless another holder has it. ReleaseLease ends it early, if it
	// is still the holder's.
	AcquireLease(ctx context.Context, name, holder string, ttl time.Duration) (bool, error)
	ReleaseLease(ctx context.Context, name, holder string) error

	// Tip is the last link of the chain; the zero Link when it is empty.
	Tip(ctx context.Context) (Link, error)
	// UnsealedEvents returns rows without a place in the chain, in order of
	// arrival.
	UnsealedEvents(ctx context.Context, limit int) ([]Row, error)
	// SealEvents gives the rows their places if the chain still ends at tip,
	// all or none; else ErrMoved.
	SealEvents(ctx context.Context, tip Link, seals []Seal) error
	// ChainedEvents returns rows of the chain after that place, in its order.
	ChainedEvents(ctx context.Context, after int64, limit int) ([]Row, error)

	// AddHead keeps a signed head; one for that place already is kept instead.
	AddHead(ctx context.Context, h Head) error
	// Heads returns heads after that place, in the order of the chain.
	Heads(ctx context.Context, after int64, limit int) ([]Head, error)
	// TrimEvents removes the chained rows up to and including upTo, and the
	// heads before it (that one stays, as the chain's new beginning), and
	// appends e, in one transaction. It returns how many rows went.
	TrimEvents(ctx context.Context, upTo Link, e Event) (int64, error)
}

// Protector encrypts what is personal under the key of its person, so that
// erasing the key erases the person.
type Protector interface {
	// ProtectPersonal encrypts plain under the key of that person, made when
	// absent; with an empty person, under the tenant's key; with an empty
	// tenant too, under the installation's. The associated data must be given
	// again to open it.
	ProtectPersonal(ctx context.Context, tenant, person string, associated, plain []byte) ([]byte, error)
	// RevealPersonal decrypts. It returns ErrErased when the key is gone.
	RevealPersonal(ctx context.Context, tenant, person string, associated, sealed []byte) ([]byte, error)
}

// ErrErased is returned for personal fields whose key has been erased.
var ErrErased = seal.ErrErased

// Signer signs heads, and knows its signatures again.
type Signer interface {
	// SignHead returns the signature and the name of the key that made it.
	SignHead(ctx context.Context, message []byte) (key string, signature []byte, err error)
	// VerifyHead returns nil when that key made the signature.
	VerifyHead(ctx context.Context, key string, message, signature []byte) error
}
