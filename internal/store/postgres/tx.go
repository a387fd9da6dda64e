package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"gatehouse.dev/internal/store"
	"gatehouse.dev/internal/store/guard"
)

// attempts is how often a transaction is tried that others make fail.
const attempts = 8

// Read implements [store.Engine].
func (e *Engine) Read(ctx context.Context, fn func(store.Querier) error) error {
	opts := &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
	return classify(e.transact(ctx, opts, fn))
}

// Write implements [store.Engine].
func (e *Engine) Write(ctx context.Context, fn func(store.Querier) error) error {
	for try := 1; ; try++ {
		err := e.transact(ctx, nil, fn)
		if err == nil || !passing(err) || try == attempts || ctx.Err() != nil {
			return classify(err)
		}
		// Full jitter, so that those who collided do not meet again.
		pause := rand.N(time.Millisecond << try)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return classify(err)
		}
	}
}

// transact runs fn in one transaction. Its statements end with ctx; the commit
// does not, for a caller that hangs up in that moment would make it a guess
// whether the change was made.
func (e *Engine) transact(ctx context.Context, opts *sql.TxOptions, fn func(store.Querier) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if e.closed.Load() {
		return store.ErrClosed
	}
	life, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer end(nil)
	hold := context.AfterFunc(ctx, func() { end(context.Cause(ctx)) })
	defer hold()
	conn, tx, err := e.begin(ctx, life, opts)
	if err != nil {
		return fmt.Errorf("begin: %w", cause(ctx, life, err))
	}
	defer conn.Close()
	defer tx.Rollback() // after a commit it does nothing
	q := guard.New(tx, nil)
	if err := q.Run(fn); err != nil {
		return cause(ctx, life, err)
	}
	if !hold() {
		return fmt.Errorf("before commit: %w", context.Cause(ctx))
	}
	limit := time.AfterFunc(e.cfg.CommitLimit, func() { end(context.DeadlineExceeded) })
	defer limit.Stop()
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", cause(ctx, life, err))
	}
	q.Committed()
	return nil
}

// begin waits for a connection no longer than ctx and begins a transaction that
// lives as long as life. A pooled connection may have been lost while it was
// idle, and the others with it: then all are made anew. Nothing has been done
// at that point, so trying again is safe.
func (e *Engine) begin(ctx, life context.Context, opts *sql.TxOptions) (*sql.Conn, *sql.Tx, error) {
	for again := false; ; again = true {
		conn, err := e.db.Conn(ctx)
		if err != nil {
			return nil, nil, err
		}
		tx, err := conn.BeginTx(life, opts)
		if err == nil {
			return conn, tx, nil
		}
		conn.Close()
		if again || ctx.Err() != nil || kind(err) != store.ErrUnavailable {
			return nil, nil, err
		}
		e.pool.Reset()
	}
}

// cause adds to err why the transaction's life was ended, if it was.
func cause(ctx, life context.Context, err error) error {
	for _, c := range []context.Context{ctx, life} {
		if c.Err() != nil {
			return errors.Join(err, context.Cause(c))
		}
	}
	return err
}
