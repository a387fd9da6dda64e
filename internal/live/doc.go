// Package live knows what is open on this node, and on what grounds: every
// socket, and every request that has been running for more than a second
// (streams, downloads, server-sent events). Taking a right away ends what
// rested on it; that is what the index is for.
//
// # Opening
//
// Whoever holds a conn opens it in the [Index] first, then checks its grounds
// once more, and only then lets the first frame out (authn's Hold does so). The
// log's tail works the other way round: it notes the revocation first and then
// looks in the index. So whichever comes first, one of them sees the other.
//
// # Ending
//
// [Conn.End] is called once, with a [Cause], and must not block; the owner then
// closes the socket with what its protocol says for that cause and calls
// [Handle.Close]. Between the two, [Handle.Pass] already refuses, so nothing
// passes on a conn whose end is under way. The receipt of a revocation counts
// the conns that were closed, after the last of them.
//
//	            ┌─ Apply (revoked) ──────────┐
//	            ├─ expiry, 30 s later        ├─► End(cause) ─► owner ─► Close
//	Open ─► live├─ log unreadable for long   │
//	            ├─ CloseConn, Drain          │
//	            └─ its owner (slow reader) ──┘
//	            └─ Apply (recheck): still allowed? goes on with the new identity
//
// # Order of locks
//
// The index has one lock, and each receipt in the making has one, taken after
// it. Neither is held while End, Recheck or a report is called.
package live
