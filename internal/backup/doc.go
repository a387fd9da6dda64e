// Package backup copies the database while it serves, and puts a copy back
// without bringing back what was revoked in between.
//
// # The file
//
// A backup is a tar of two members: manifest.json, which says what it is, and
// gatehouse.db, an SQLite database. A backup of PostgreSQL has the same form, so
// a backup of one engine can be restored into the other. What is sealed stays
// sealed, and the data keys stay wrapped: without the master key, which lies
// elsewhere, a backup opens nothing.
//
// # Putting it back
//
// A backup is a picture of the past, and in the past more was allowed. So a
// restore looks for what was taken away since, first in the database that it
// replaces, then in the journal that every node writes, and does it again to
// the restored state: a credential revoked since is revoked, a principal
// disabled since is disabled, a role removed since is gone. Where it finds
// neither, or the journal has a hole, it refuses, and lists what may be alive
// again, until it is told to accept that.
//
// Then it raises the incarnation, so that nodes forget what they remember, and
// ends grants and tokens from before. Numbers go on after the last one that may
// have been given, so that an old token cannot name a new secret.
//
// The database is replaced in one step: what is there stays until all of the
// new one is on the disk, and is kept beside it under another name.
package backup
