// Package importer takes over credentials that exist elsewhere, so that clients
// and people keep the key, secret or password they have.
//
// Input is one credential to a line, as JSON objects or as CSV with a line of
// column names. The members are:
//
//	kind            "api_key", "key_pair" or "password"; required
//	name            whose it is: the user, client, …; required; made when absent
//	principal_kind  "user", "client", "application", "device", "bearer"; without
//	                it a password's is a user, all others are clients
//	display_name    of a principal that is made
//	roles           of a principal that is made; in CSV separated by blanks
//	tenant          its name; without it the importer's default
//	dialect         "ayyeka", …; without it "gatehouse"
//	key             public half of a key_pair; of an api_key its readable beginning
//	secret          the secret or password itself; kept as a digest or hash only
//	hash            or, in its place, its hash in a form that package password
//	                reads; of an api_key a SHA-256 without salt, because that is
//	                all that can be found by the key alone
//	comment, networks, users (both in CSV separated by blanks), not_before,
//	expires (RFC 3339)
//	enabled         false keeps the credential switched off
//
// A key that two lines of a run have is taken once, also where one of them has its
// hash. Nothing is lost: every line of the input is in the report as imported, as
// existing already, or as bad with its number and a reason, which never repeats
// what the line says. What was imported in an earlier run exists in the next,
// so an interrupted import is simply run again.
//
// Lines go to the store in batches, each in one transaction. A batch that the
// store refuses is sent again line by line, so that one line spoils no other.
package importer
