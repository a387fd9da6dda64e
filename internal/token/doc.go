// Package token issues and checks what callers show instead of a secret: signed
// JWTs and opaque tokens.
//
// # JWTs
//
// [Parse] takes a compact JWS apart strictly: bounded size, canonical
// base64url, no member twice, nothing critical that is not understood, no key
// material inside. A [Profile] then reads the claims and says whose token it
// claims to be; times, tenant and algorithm are checked, and only then is a
// signature computed, because a signature is a thousand times dearer than all
// the rest. The algorithm is pinned by the profile and by the key, never by
// the token: "none" and HMAC under a public key cannot happen.
//
// # Signing keys
//
// Each tenant has, for each use and algorithm, a row of keys:
//
//	          published            signs              verifies
//	next ───────────────► active ─────────► retiring ──────────► sealed
//	                         │                  │
//	                         └──► distrusted ◄──┘
//
// A next key is in the JWKS long enough to be known everywhere before it
// becomes active. A retiring key verifies until the last token it signed has
// expired. A distrusted key is refused at once, through the revocation log, on
// every node. A sealed key has lost its private half and verifies nothing.
//
// # Opaque tokens
//
// Random, stored as keyed digests, with owner, scopes and expiry.
//
// # Taking tokens away
//
// One by one: the hash of a JWT is kept until it would have expired. All of a
// client: its not-before time. Both go through the revocation log.
package token
