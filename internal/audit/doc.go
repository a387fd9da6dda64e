// Package audit has the record of who did what, and finds out when somebody has
// rewritten it.
//
// # How a row comes to be
//
// An administrator's change hands its [Event] to the store method that makes
// the change, which writes both in one transaction. What happens on the hot
// path (logins, refusals) goes through a [Recorder], which never blocks: it
// batches, folds a flood of like failures into counts, and when it has to drop
// something, says so in a row of its own.
//
// # The chain
//
// Rows arrive unchained, on any node and in any order. One node at a time, the
// holder of a lease, is the [Sealer]: within a second it gives each new row the
// next place in the chain and the hash of its predecessor's hash and of its own
// canonical encoding. Every minute it signs the [Head] and writes it to the
// store, to the log stream and to a file beside the data, so that a copy exists
// where whoever rewrites the database cannot reach. [Verify] walks the chain
// and names every row that was altered, removed or moved.
//
// # People
//
// A person's name or address stands in a row only as ciphertext under a key of
// that person. The chain covers the ciphertext, so erasing the key makes the
// person unreadable and leaves the chain as verifiable as before.
package audit
