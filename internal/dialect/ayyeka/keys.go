package ayyeka

import (
	"gatehouse.dev/internal/token"
)

// Profile is how this dialect's tokens are signed and read: RS384, which the
// verifier pins, under the tenant's keys for this use. Gateway routes that accept
// these tokens read them by it, too.
func Profile(c Config) *token.Profile {
	c = c.withDefaults()
	issuer := c.Issuer
	return &token.Profile{
		Name: Name, Use: Name, Alg: token.RS384, Lifetime: c.Lifetime, KeyID: c.KeyID,
		Read: func(claims token.Claims) (token.Subject, error) { return readClaims(claims, issuer) },
	}
}
