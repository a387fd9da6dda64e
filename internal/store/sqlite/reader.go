package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"gatehouse.dev/internal/store"
	"gatehouse.dev/internal/store/guard"
)

// readers hands out reading connections, opened when first needed.
type readers struct {
	db   *sql.DB
	free chan *conn // nil: not opened yet
	done chan struct{}
}

func newReaders(db *sql.DB, n int) *readers {
	r := &readers{db: db, free: make(chan *conn, n), done: make(chan struct{})}
	for range n {
		r.free <- nil
	}
	return r
}

// Read implements [store.Engine].
func (e *Engine) Read(ctx context.Context, fn func(store.Querier) error) error {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.ReadLimit)
	defer cancel()
	return classify(e.readers.read(ctx, fn))
}

func (r *readers) read(ctx context.Context, fn func(store.Querier) error) (err error) {
	c, err := r.take(ctx)
	if err != nil {
		return err
	}
	defer func() { r.free <- c }()
	defer func() {
		// A deferred transaction takes its snapshot at the first statement.
		if c.run("ROLLBACK") != nil {
			c.close()
			c = nil
		}
	}()
	if err := c.run("BEGIN"); err != nil {
		return fmt.Errorf("begin read: %w", err)
	}
	// Statements are bounded by this read, whatever context they come with.
	return guard.New(c, func(context.Context) context.Context { return ctx }).Run(fn)
}

func (r *readers) take(ctx context.Context) (*conn, error) {
	select {
	case <-r.done:
		return nil, store.ErrClosed
	default:
	}
	select {
	case c := <-r.free:
		if c != nil {
			return c, nil
		}
		c, err := openConn(ctx, r.db)
		if err != nil {
			r.free <- nil
			return nil, fmt.Errorf("open reader: %w", err)
		}
		return c, nil
	case <-r.done:
		return nil, store.ErrClosed
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a reader: %w", ctx.Err())
	}
}

// close waits for the readers that are out, each of which is bounded in time.
func (r *readers) close() {
	close(r.done)
	for range cap(r.free) {
		if c := <-r.free; c != nil {
			c.close()
		}
	}
}
