// Package guard makes the two engines behave alike towards the functions they
// run. It wraps the querier of a transaction and refuses what only one engine
// would let pass: texts with NUL or bad UTF-8 (SQLite would keep them),
// statements after one has failed (PostgreSQL refuses them, SQLite might run
// them outside the rolled-back transaction), and use after the end.
package guard

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"runtime/debug"
	"strings"
	"unicode/utf8"

	"gatehouse.dev/internal/store"
)

// ErrEnded is returned by a querier whose transaction is over.
var ErrEnded = errors.New("transaction has ended")

// DB is the part of *sql.Conn and *sql.Tx that a transaction is run with. A
// QueryRowContext that fails must show it in Err already.
type DB interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Querier implements [store.Querier] on a DB.
type Querier struct {
	db    DB
	ctx   func(context.Context) context.Context
	err   error
	after []func()
}

// New wraps db. The function ctx, unless nil, replaces the context of each
// statement.
func New(db DB, ctx func(context.Context) context.Context) *Querier {
	return &Querier{db: db, ctx: ctx}
}

// Run calls fn and turns a panic into a [store.PanicError]. A statement that
// failed fails the whole, even when fn swallowed the error.
func (q *Querier) Run(fn func(store.Querier) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &store.PanicError{Value: v, Stack: debug.Stack()}
		}
		failed := q.err
		q.err = ErrEnded
		if err == nil {
			err = failed
		}
	}()
	return fn(q)
}

// After has f called once the transaction is durable.
func (q *Querier) After(f func()) { q.after = append(q.after, f) }

// Committed calls what After collected.
func (q *Querier) Committed() {
	for _, f := range q.after {
		f()
	}
}

// ExecContext implements [store.Querier].
func (q *Querier) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	ctx, err := q.begin(ctx, args)
	if err != nil {
		return nil, err
	}
	res, err := q.db.ExecContext(ctx, query, args...)
	return res, q.note(err)
}

// QueryContext implements [store.Querier].
func (q *Querier) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	ctx, err := q.begin(ctx, args)
	if err != nil {
		return nil, err
	}
	rows, err := q.db.QueryContext(ctx, query, args...)
	return rows, q.note(err)
}

// QueryRowContext implements [store.Querier].
func (q *Querier) QueryRowContext(ctx context.Context, query string, args ...any) store.Row {
	ctx, err := q.begin(ctx, args)
	if err != nil {
		return failedRow{err}
	}
	row := q.db.QueryRowContext(ctx, query, args...)
	q.note(row.Err())
	return row
}

func (q *Querier) begin(ctx context.Context, args []any) (context.Context, error) {
	if q.err != nil {
		return nil, q.err
	}
	if err := CheckText(args); err != nil {
		return nil, q.note(err)
	}
	if q.ctx != nil {
		ctx = q.ctx(ctx)
	}
	return ctx, nil
}

func (q *Querier) note(err error) error {
	if err != nil && q.err == nil {
		q.err = err
	}
	return err
}

// CheckText returns store.ErrText when one of args is a text that the engines
// would not keep alike.
func CheckText(args []any) error {
	for _, a := range args {
		switch v := a.(type) {
		case nil, []byte, int64, int, bool:
		case string:
			if !textual(v) {
				return store.ErrText
			}
		default:
			// Named string types, and the wrappers that turn into text.
			if d, err := driver.DefaultParameterConverter.ConvertValue(a); err == nil {
				if s, ok := d.(string); ok && !textual(s) {
					return store.ErrText
				}
			}
		}
	}
	return nil
}

func textual(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

type failedRow struct{ err error }

func (r failedRow) Scan(...any) error { return r.err }
func (r failedRow) Err() error        { return r.err }
