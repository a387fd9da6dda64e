// Package dpop checks proofs of possession (RFC 9449): short-lived tokens that a
// caller signs for each request with a key of its own, so that an access token
// which is bound to that key is worth nothing to whoever has merely read it.
//
// A proof says for which method and address it is, and for which access token;
// it is accepted for a minute, and once. What it does not say is that the key
// may be trusted: the access token names the key that must be proved, and
// package authn compares.
package dpop
