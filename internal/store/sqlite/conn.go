package sqlite

import (
	"context"
	"database/sql"
	"errors"
)

// maxStatements bounds the statements kept prepared on one connection. The
// program has a fixed set of texts, so the bound is not met.
const maxStatements = 512

// conn is one connection that remembers its prepared statements; preparing
// costs more than running most of ours. It is used by one goroutine at a time.
type conn struct {
	raw   *sql.Conn
	stmts map[string]*sql.Stmt
}

func openConn(ctx context.Context, db *sql.DB) (*conn, error) {
	raw, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &conn{raw: raw, stmts: make(map[string]*sql.Stmt)}, nil
}

func (c *conn) prepare(query string) (*sql.Stmt, error) {
	if s := c.stmts[query]; s != nil {
		return s, nil
	}
	if len(c.stmts) >= maxStatements {
		c.forget()
	}
	s, err := c.raw.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	c.stmts[query] = s
	return s, nil
}

func (c *conn) forget() {
	for _, s := range c.stmts {
		s.Close()
	}
	clear(c.stmts)
}

// ExecContext, QueryContext and QueryRowContext make a conn a guard.DB.
func (c *conn) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	s, err := c.prepare(query)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(ctx, args...)
}

func (c *conn) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := c.prepare(query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

func (c *conn) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	s, err := c.prepare(query)
	if err != nil {
		// Fails again, and so makes the row that carries the error.
		return c.raw.QueryRowContext(ctx, query, args...)
	}
	return s.QueryRowContext(ctx, args...)
}

// run executes one of the engine's own statements. It is never interrupted: an
// interrupt inside a transaction may roll all of it back.
func (c *conn) run(query string) error {
	_, err := c.ExecContext(context.Background(), query)
	return err
}

func (c *conn) close() error {
	c.forget()
	err := c.raw.Close()
	if errors.Is(err, sql.ErrConnDone) {
		return nil
	}
	return err
}
