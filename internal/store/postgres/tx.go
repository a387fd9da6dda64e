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
	conn, err := e.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("get a connection: %w", err)
	}
	defer conn.Close()
	life, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer end(nil)
	hold := context.AfterFunc(ctx, func() { end(context.Cause(ctx)) })
	defer hold()
	tx, err := conn.BeginTx(life, opts)
	if err != nil {
		return fmt.Errorf("begin: %w", cause(life, err))
	}
	defer tx.Rollback() // after a commit it does nothing
	q := guard.New(tx, nil)
	if err := q.Run(fn); err != nil {
		return cause(life, err)
	}
	if !hold() {
		return fmt.Errorf("before commit: %w", context.Cause(life))
	}
	limit := time.AfterFunc(e.cfg.CommitLimit, func() { end(context.DeadlineExceeded) })
	defer limit.Stop()
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", cause(life, err))
	}
	q.Committed()
	return nil
}

// cause adds to err why the transaction's life was ended, if it was.
func cause(life context.Context, err error) error {
	if c := context.Cause(life); c != nil {
		return errors.Join(err, c)
	}
	return err
}
