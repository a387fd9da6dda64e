// Package identity has the answer to "who is it": what an attempt becomes once
// it is believed, with the grounds that belief rests on.
package identity

import (
	"time"

	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/revocation"
)

// Method names how the caller proved itself.
type Method string

// The methods of the core; dialects may name their own.
const (
	Password Method = "password"
	KeyPair  Method = "key_pair"
	APIKey   Method = "api_key"
	JWT      Method = "jwt"
	Opaque   Method = "opaque"
	// Encryption: by packets that only the owner of a secret can encrypt.
	Encryption  Method = "encryption"
	ScopedToken Method = "scoped_token"
	Local       Method = "local" // over the Unix socket in the data folder
)

// Thing is something that can be acted on: a Cedar entity Type::"ID".
type Thing struct{ Type, ID string }

// Identity is one believed caller. It is shared between requests and conns and
// must not be changed.
type Identity struct {
	Tenant       string // id
	TenantNumber int64
	TenantName   string

	Principal       string // id
	PrincipalNumber int64
	Kind            principal.Kind
	Name            string
	Roles           []string
	// Scopes narrows what the owner may do; nil means not narrowed, empty means
	// nothing at all.
	Scopes []string
	// Only narrows Scopes further, to what is done to one of these things or to
	// what belongs to it; nil means any. It goes with Scopes.
	Only []Thing

	Credential   string // id; empty for methods without one
	Secret       string // id of the secret shown, or that the token rests on
	SecretNumber int64
	ReuseWindow  time.Duration // see principal.Principal
	NotBefore    time.Time     // see principal.Principal; whoever issues a token dates it no earlier

	Dialect string
	Method  Method
	Issued  time.Time // of the token; zero for other methods
	Expires time.Time // the earliest end of what it rests on; zero: none

	Grounds []revocation.Ground
	AsOf    revocation.Position // the log position applied before the store was read

	Notes *Notes // nil: nothing is noted
}
