// Package seal keeps what must be read back (credentials for other people's
// endpoints, private keys, personal data) so that a copy of the database
// opens none of it.
//
// There are three layers:
//
//	master key            a file or systemd credential, outside the data folder
//	  └─ data keys        wrapped by the master key, in the database
//	       └─ rows        AES-256-GCM under a data key
//
// A data key belongs to a [Scope]: a tenant's rows, one person's rows, the
// look-up keys that package secret needs. Scopes have versions; the newest
// seals, all open. Sealed bytes start with the id of their key and are bound
// to the row they were made for ([Row]): moved to another row, column, tenant
// or person they do not open.
//
// Rotating the master key wraps the data keys again and touches no row. The
// master key file may hold several keys, one to a line: the first wraps, the
// others still unwrap, so that a rotation can be interrupted anywhere:
//
//  1. put a new line in front ([NewMasterKey]) and restart every node;
//  2. [Keeper.Run] rewraps and says when it is done;
//  3. take the old line out.
//
// With several nodes, put the new line behind the old one first and restart
// all, so that every node can unwrap what the first of them wraps.
//
// Erasing a person's key ([Keeper.EraseKeys]) makes what was sealed under it
// unreadable for good, in every table, the audit record and later backups;
// backups made before the erasure still hold the wrapped key.
package seal
