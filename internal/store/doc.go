// Package store keeps what Gatehouse must remember: it implements, on one
// [Store], the interfaces that the nouns (principal, credential, token, grant,
// …) declare for themselves. Nobody but the composition root and tests imports
// it.
//
// # Engines
//
// Underneath is an [Engine]: SQLite in a file (package sqlite) or PostgreSQL
// (package postgres). One SQL text serves both: parameters are written $1, an
// upsert is ON CONFLICT … DO UPDATE … RETURNING, a time is a number of Unix
// microseconds, an identifier is TEXT compared byte by byte, and what is binary
// is a blob. Words that only one engine understands (DDL, NOTIFY, PRAGMA) live
// in that engine's folder.
//
// # Invariants
//
// A method is named after the invariant it keeps, and keeps it in one
// conditional statement with RETURNING. PostgreSQL runs writers side by side at
// its default isolation, so "look, then write" is a race there even though
// SQLite, with its single writer, hides it. Where a look is unavoidable, the
// row that carries the invariant is locked first by updating it.
//
// # What a function given to Read or Write must keep to
//
//   - It may run more than once (PostgreSQL retries after a deadlock, SQLite
//     after a batch was lost), so it sets its results afresh on every run.
//   - It finishes reading the rows of one statement before it sends the next:
//     both engines run a transaction on one connection.
//   - A statement that failed has failed the transaction, on both engines;
//     going on is refused with the same error. An expected conflict is
//     expressed with ON CONFLICT, not by trying and catching.
//   - It does nothing but database work: on SQLite, every other writer waits.
package store
