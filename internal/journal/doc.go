// Package journal is the memory that a node keeps outside the database: every
// revocation, and every audit head it signed, in files that are only ever
// appended to.
//
// A backup knows nothing of what was revoked after it. When it is restored and
// the database it replaces is gone, the journal is what keeps a revoked key
// from coming back; and when somebody rewrote the audit record together with
// the heads stored beside it, the heads in the journal still tell.
//
// # Form
//
// A folder holds files named by their order. Each begins with a magic line;
// then come records, each with its length, a checksum and a kind in front. What
// a crash left half-written at the end of the last file is cut off when the
// journal is opened again, since nobody was told that it was written. A record
// that is damaged anywhere else ends the reading of its file and is reported;
// the numbers of the revocations tell whether anything is missing.
//
// Files are bounded in size and number. The oldest go first, so a journal
// reaches back a bounded number of revocations, not a time; 128 MiB hold about
// a million.
package journal
