package acqueon

import (
	"context"
	"encoding/base64"
)

// Credential is what a client shows each time it connects.
type Credential interface {
	// password is the second half of the Basic credential.
	password(ctx context.Context) (string, error)
	// renewable reports whether the next password may be another.
	renewable() bool
}

// APIKey is a pair of key and secret.
func APIKey(key, secret string) Credential { return pair{key, secret} }

type pair struct{ key, secret string }

func (p pair) password(context.Context) (string, error) {
	return base64.StdEncoding.EncodeToString([]byte(p.key + ":" + p.secret)), nil
}

func (pair) renewable() bool { return false }

// String implements fmt.Stringer without showing the secret.
func (p pair) String() string { return "API key " + p.key }

// GoString implements fmt.GoStringer.
func (p pair) GoString() string { return p.String() }

// Token is an OAuth access token, asked for anew before each connection: source
// should return one that is good for a while yet.
func Token(source func(ctx context.Context) (string, error)) Credential { return tokens(source) }

type tokens func(ctx context.Context) (string, error)

func (tokens) renewable() bool { return true }

// String implements fmt.Stringer.
func (tokens) String() string { return "access token" }

func (t tokens) password(ctx context.Context) (string, error) {
	token, err := t(ctx)
	return base64.StdEncoding.EncodeToString([]byte(token)), err
}
