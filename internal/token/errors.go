package token

import "errors"

// ErrInvalid is what every verdict on a token is, by errors.Is: the token is
// not good, and asking again will not help. An error that is not ErrInvalid
// (the store is down, too much is waiting) decided nothing.
var ErrInvalid = errors.New("invalid token")

// The verdicts. Their texts are for logs and the audit record; callers of an
// API learn no more than that their token is not good.
var (
	ErrMalformed = verdict("token is malformed")
	ErrProfile   = verdict("token is of another kind")
	ErrClaims    = verdict("token has unsuitable claims")
	ErrTenant    = verdict("token is for another tenant")
	ErrNotYet    = verdict("token is not valid yet")
	ErrKey       = verdict("token names no signing key that is trusted")
	ErrSignature = verdict("token has a wrong signature")
	ErrUnknown   = verdict("token is unknown")
	ErrRevoked   = verdict("token has been revoked")
	// ErrExpired is found before the signature is checked, which is the dearer
	// check: it does not say that the token was ever genuine.
	ErrExpired = verdict("token has expired")
)

type verdictError struct{ text string }

func verdict(text string) error { return &verdictError{text} }

func (v *verdictError) Error() string { return v.text }

// Is makes every verdict ErrInvalid.
func (v *verdictError) Is(target error) bool { return target == ErrInvalid }
