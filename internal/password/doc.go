// Package password hashes and checks what people can remember.
//
// Such secrets are weak, so every guess is made to cost: new hashes are
// Argon2id (RFC 9106) with 19 MiB, two passes and one lane, written as PHC
// strings. The cost falls on us as well; a [Hasher] therefore runs few at a
// time and lets callers wait in a queue that is shared fairly by source
// (package fair). What does not fit is refused with [ErrBusy].
//
// A name that does not exist must not answer sooner than one that does:
// [Hasher.Nobody] spends what a check would have cost.
//
// # Hashes from elsewhere
//
// People and machines who come from another system keep their password. [Parse]
// reads, and the Hasher checks, these forms:
//
//	$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>     PHC, base64 without padding
//	$2a$10$…, $2b$10$…, $2y$10$…                     bcrypt, 60 characters
//	$pbkdf2-sha256$i=600000,l=32$<salt>$<hash>       PHC, base64 without padding
//	$pbkdf2-sha512$25000$<salt>$<hash>               passlib: the same with '.' for '+'
//	pbkdf2_sha256$600000$<salt>$<hash>               Django: plain salt, padded base64
//	$sha256$<salt>$<64 hex digits>                   SHA-256 of salt, then password
//	<64 hex digits>                                  SHA-256 of the password
//
// PBKDF2 is taken with SHA-256 and SHA-512. Costs are bounded on both sides
// (see limits.go): a hash that would take four gibibytes or a minute is refused
// when it is imported, not when its owner logs in. [Hasher.NeedsRehash] tells
// which hashes to replace once the password is known, at the first good login.
//
// A wrong password against a cheap form (SHA-256, PBKDF2 of few rounds) is
// charged an Argon2id as well, so that it takes no less than an unknown name.
// Forms that cost more than ours cannot be hidden so; until they are replaced,
// a refusal may take longer than for a name that does not exist.
package password
