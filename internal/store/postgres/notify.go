package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"gatehouse.dev/internal/store"
)

// Pauses before a lost listening connection is made again.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 10 * time.Second
)

// Notify implements [store.Engine]. PostgreSQL sends it at the commit.
func (e *Engine) Notify(ctx context.Context, q store.Querier, channel string) error {
	if _, err := q.ExecContext(ctx, `SELECT pg_notify($1, '')`, channel); err != nil {
		return fmt.Errorf("notify %s: %w", channel, err)
	}
	return nil
}

// Listen implements [store.Engine]. It holds a connection of its own, not one
// of the pool, and makes it again for as long as ctx lives.
func (e *Engine) Listen(ctx context.Context, channel string, fn func()) error {
	pause := firstPause
	for {
		began := time.Now()
		err := e.listen(ctx, channel, fn)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Since(began) > lastPause {
			pause = firstPause
		}
		e.cfg.Logger.Warn("connection for notifications lost", "channel", channel, "error", err, "again_in", pause)
		select {
		case <-time.After(pause):
			pause = min(2*pause, lastPause)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// listen serves one connection until it is lost.
func (e *Engine) listen(ctx context.Context, channel string, fn func()) error {
	conn, err := pgx.ConnectConfig(ctx, e.pool.Config().ConnConfig)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		conn.Close(end)
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	fn() // whatever was sent before LISTEN was missed
	for {
		// A connection that has silently gone is noticed by asking it.
		wait, cancel := context.WithTimeout(ctx, 30*time.Second)
		_, err := conn.WaitForNotification(wait)
		quiet := errors.Is(wait.Err(), context.DeadlineExceeded) && ctx.Err() == nil
		cancel()
		switch {
		case err == nil:
			fn()
		case quiet && !conn.IsClosed():
			if err := conn.Ping(ctx); err != nil {
				return fmt.Errorf("ping: %w", err)
			}
		default:
			return err
		}
	}
}
