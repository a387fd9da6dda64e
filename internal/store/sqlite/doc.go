// Package sqlite is the engine that needs nothing but a file.
//
// SQLite has one writer at a time, and a durable commit costs an fsync. So all
// writes go through one goroutine that takes what has queued up meanwhile and
// commits it together: a savepoint around each operation keeps a failing one
// from touching its neighbours, and nobody is answered before the COMMIT has
// reached the disk (synchronous=FULL). The more callers wait, the more share
// one fsync.
//
//	Write ─┐                ┌ SAVEPOINT, fn, RELEASE ┐
//	Write ─┼─► queue ─► BEGIN ─ SAVEPOINT, fn, RELEASE ─ COMMIT ─► answers
//	Write ─┘                └ SAVEPOINT, fn, ROLLBACK TO ┘ (that one failed)
//
// Some failures (disk full, I/O error) make SQLite roll back the whole
// transaction by itself. Then every operation of the batch is run again, alone,
// so that only those that cannot succeed fail.
//
// Readers have connections of their own and see snapshots; in WAL mode they
// neither wait for the writer nor hold it up. They are meant to be short: the
// log cannot be checkpointed past the oldest of them.
//
// The folder of the database belongs to one process, which holds a lock on it.
package sqlite
