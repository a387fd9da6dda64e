package store

import (
	"context"
	"database/sql"
	"time"
)

// Row is one result row that has not been read yet, like [sql.Row].
type Row interface {
	Scan(dest ...any) error
	Err() error
}

// Querier runs statements inside the transaction it was handed out for, and is
// of no use after it. It must not be used by two goroutines at once.
type Querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) Row
}

// Engine is a database that runs the one SQL text. Implementations are safe for
// concurrent use. Errors that come out of it are classified, see [ErrNotFound]
// and its neighbours.
type Engine interface {
	// Name is "sqlite" or "postgres".
	Name() string

	// Read runs fn on a snapshot: all statements see the same moment, which
	// includes every Write that was answered before Read was called.
	Read(ctx context.Context, fn func(Querier) error) error

	// Write runs fn in a transaction and returns nil only after it is durable.
	// When fn fails or panics, nothing of it is kept. A deadline that passes
	// before fn begins abandons it; after that, whatever the answer is, it is
	// the truth.
	Write(ctx context.Context, fn func(Querier) error) error

	// Now is the database's clock, by which leases and windows are measured.
	Now(ctx context.Context) (time.Time, error)

	// Notify wakes the listeners of channel, on every node, once the
	// transaction of q commits; it does nothing when that is rolled back.
	Notify(ctx context.Context, q Querier, channel string) error

	// Listen calls fn whenever channel was notified, and whenever it may have
	// missed a notification (so also once at the start). Calls do not overlap,
	// and several notifications may become one call. It returns when ctx ends.
	Listen(ctx context.Context, channel string, fn func()) error

	// Migrate brings the schema up to this program's. It fails with ErrNewer
	// on a database that this program is too old for.
	Migrate(ctx context.Context) error

	// Version says where the schema stands, without changing anything.
	Version(ctx context.Context) (Version, error)

	Close() error
}

// Version tells how the schema in the database relates to this program.
type Version struct {
	Database int64 // last migration applied
	Program  int64 // last migration this program brings
	Floor    int64 // oldest program that may still run on the database
}

// Current reports whether there is nothing to migrate.
func (v Version) Current() bool { return v.Database >= v.Program }

// Store implements the store interfaces of the nouns, one file per noun.
type Store struct {
	engine Engine
}

// New returns a store on engine, which must have been migrated.
func New(engine Engine) *Store { return &Store{engine: engine} }

// Engine is what the store stands on.
func (s *Store) Engine() Engine { return s.engine }

// Close closes the engine.
func (s *Store) Close() error { return s.engine.Close() }
