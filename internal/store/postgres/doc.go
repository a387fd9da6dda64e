// Package postgres is the engine for several nodes on one database.
//
// Writers run side by side at READ COMMITTED: a second writer of a row waits
// for the first and then sees what it did, which is what the conditional
// statements of package store count on. Deadlocks and serialization failures
// are retried a few times, with pauses of random length.
//
// Columns of text are declared COLLATE "C", so that comparing and sorting is by
// bytes, whatever the database's own collation says; a test keeps the
// migrations to it.
//
// It needs sessions of its own (prepared statements, LISTEN, time-outs): the
// server itself or a pooler in session mode, not one that shares a session
// between transactions.
//
// A session is not left to its luck: statements, lock waits and idle
// transactions have limits, so that a lost node does not hold a lock for long.
package postgres
