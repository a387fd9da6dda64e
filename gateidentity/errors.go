package gateidentity

import "errors"

// What [Verifier.Verify] can answer. All but [ErrUnavailable] mean that the
// request must not be served; that one means that it cannot be judged now.
var (
	// ErrMissing says that the request carries no identity, or several.
	ErrMissing = errors.New("gateidentity: no identity in the request")
	// ErrMalformed says that the value is not a token of our type.
	ErrMalformed = errors.New("gateidentity: malformed token")
	// ErrKey says that no key of the set has the token's key id.
	ErrKey = errors.New("gateidentity: unknown key")
	// ErrSignature says that the signature is wrong.
	ErrSignature = errors.New("gateidentity: wrong signature")
	// ErrClaims says that the token is genuine but from another issuer, for
	// another audience, or lacks a claim.
	ErrClaims = errors.New("gateidentity: token is not for this backend")
	// ErrExpired says that the token is past its end, or not yet valid.
	ErrExpired = errors.New("gateidentity: token expired or not yet valid")
	// ErrUnavailable says that the keys could not be fetched.
	ErrUnavailable = errors.New("gateidentity: keys cannot be fetched")
)
