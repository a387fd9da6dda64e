package sqlite

import (
	"errors"
	"syscall"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"gatehouse.dev/internal/store"
)

// classify finds the kind of an error by SQLite's result code.
func classify(err error) error { return store.Classify(err, kind) }

func kind(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EIO) {
			return store.ErrUnavailable
		}
		return nil
	}
	switch e.Code() {
	case lib.SQLITE_CONSTRAINT_UNIQUE, lib.SQLITE_CONSTRAINT_PRIMARYKEY, lib.SQLITE_CONSTRAINT_ROWID:
		return store.ErrConflict
	case lib.SQLITE_CONSTRAINT_FOREIGNKEY:
		return store.ErrReference
	}
	switch e.Code() & 0xff { // the primary code, whatever the detail
	case lib.SQLITE_FULL, lib.SQLITE_IOERR, lib.SQLITE_BUSY, lib.SQLITE_LOCKED, lib.SQLITE_CANTOPEN,
		lib.SQLITE_NOMEM, lib.SQLITE_PROTOCOL, lib.SQLITE_READONLY, lib.SQLITE_INTERRUPT:
		return store.ErrUnavailable
	}
	return nil
}
