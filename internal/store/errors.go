package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// The kinds of failure, recognised by the engines from driver codes, never from
// message texts. Test for them with [errors.Is].
var (
	// ErrNotFound: there is no such row.
	ErrNotFound = errors.New("not found")

	// ErrConflict: a unique name or number is already taken.
	ErrConflict = errors.New("already exists")

	// ErrReference: the row refers to one that does not exist, or is still
	// referred to.
	ErrReference = errors.New("refers to a row that does not exist")

	// ErrUnavailable: the database cannot serve now (disk full, I/O error,
	// connection lost, too busy). Nothing was changed, or at least nothing
	// was acknowledged. Callers answer 503.
	ErrUnavailable = errors.New("store unavailable")

	// ErrText: a text holds NUL or is not UTF-8. PostgreSQL cannot keep such
	// texts, so neither engine does.
	ErrText = errors.New("text holds NUL or is not UTF-8")

	// ErrNewer: the database has been migrated by a program that this one is
	// too old to share it with.
	ErrNewer = errors.New("database belongs to a newer release")

	// ErrClosed: the engine has been closed.
	ErrClosed = errors.New("store closed")
)

// Classify gives err the kind that code, the engine's own judgement, finds for
// it; engines call it on everything they return. It keeps errors that carry a
// kind already, and treats a passed deadline as ErrUnavailable: whoever waits
// for a database that does not answer in time is to be told 503.
func Classify(err error, code func(error) error) error {
	if err == nil {
		return nil
	}
	for _, kind := range []error{ErrNotFound, ErrConflict, ErrReference, ErrUnavailable, ErrText, ErrNewer} {
		if errors.Is(err, kind) {
			return err
		}
	}
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	case errors.Is(err, ErrClosed), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	case errors.Is(err, context.Canceled):
		return err
	}
	if kind := code(err); kind != nil {
		return fmt.Errorf("%w: %w", kind, err)
	}
	return err
}

// PanicError is what a function given to Read or Write left behind when it
// panicked. The transaction was rolled back and the engine goes on.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic in transaction: %v", e.Value) }

// notFound tells inside a transaction whether there was no row.
func notFound(err error) bool { return errors.Is(err, sql.ErrNoRows) || errors.Is(err, ErrNotFound) }
