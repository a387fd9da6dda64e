package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"

	"gatehouse.dev/internal/store"
)

// classify finds the kind of an error by its SQLSTATE, or by what became of the
// connection.
func classify(err error) error { return store.Classify(err, kind) }

// SQLSTATE codes we tell apart; classes are their first two characters.
const (
	uniqueViolation      = "23505"
	foreignKeyViolation  = "23503"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	lockNotAvailable     = "55P03"
	queryCanceled        = "57014" // statement_timeout
	readOnlyTransaction  = "25006" // this server is a replica now
	idleTimeout          = "25P03" // idle_in_transaction_session_timeout
)

func kind(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return kindOfCode(pg.Code)
	}
	if lost(err) {
		return store.ErrUnavailable
	}
	return nil
}

func kindOfCode(code string) error {
	switch code {
	case uniqueViolation:
		return store.ErrConflict
	case foreignKeyViolation:
		return store.ErrReference
	case serializationFailure, deadlockDetected, lockNotAvailable, queryCanceled, readOnlyTransaction, idleTimeout:
		return store.ErrUnavailable
	}
	switch code[:min(2, len(code))] {
	case "08", // connection exception
		"53", // insufficient resources: disk full, memory, connections
		"57", // operator intervention: shutting down, starting up
		"58": // system error: I/O
		return store.ErrUnavailable
	}
	return nil
}

// lost reports whether err says that there is no connection any more.
func lost(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	switch {
	case errors.As(err, &connect), errors.As(err, &network):
		return true
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, sql.ErrConnDone), errors.Is(err, net.ErrClosed),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return true
	}
	return pgconn.SafeToRetry(err) && !errors.Is(err, context.Canceled)
}

// passing reports whether the same transaction may succeed when run again.
func passing(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == serializationFailure || pg.Code == deadlockDetected)
}
