// Package secret carries confidential text through the program, makes it, and
// recognises it again without keeping it.
//
// Carrying: a [Text] renders as a fixed placeholder in every verb of fmt, in
// log/slog, in JSON and in YAML. The value comes out only through
// [Text.Reveal], which is easy to search for.
//
// Making: a secret that we are free to shape is a readable prefix, 43 random
// letters and digits (256 bits) and a checksum: see [Generate]. The prefix
// tells a finder (and a scanner of public repositories) what he holds; the
// checksum lets [WellFormed] turn garbage away before anything is looked up.
// Where a protocol fixes the shape there are [UpperHex] and [Base64].
//
// Recognising: a long random secret cannot be guessed, so it needs no slow
// hash. A [Digester] turns it into HMAC-SHA256 under a look-up key that lives
// outside the database's reach, with the key's version in front. The digest is
// what a store keeps and indexes. Weak secrets (passwords) never go through a
// Digester; they belong to package password.
package secret
