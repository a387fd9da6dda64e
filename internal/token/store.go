package token

import (
	"context"
	"errors"
	"time"

	"gatehouse.dev/internal/audit"
)

// Errors that a Store returns.
var (
	// ErrNotFound: no such key or token.
	ErrNotFound = errors.New("no such token or signing key")
	// ErrKeyState: the signing key is in another state than the change needs,
	// usually because another node was first.
	ErrKeyState = errors.New("the signing key is in another state")
)

// State is where a signing key stands in its life.
type State string

// The states; see the package comment.
const (
	Next       State = "next"
	Active     State = "active"
	Retiring   State = "retiring"
	Distrusted State = "distrusted"
	Sealed     State = "sealed"
)

// SigningKey is a key as the store keeps it.
type SigningKey struct {
	ID     string // "key_…", the kid where one is written
	Tenant string // tenant id; empty for the installation itself
	Use    string // "ayyeka", "access", "identity"
	Alg    Alg
	State  State

	Public  []byte // PKIX, DER
	Private []byte // PKCS #8, sealed under the tenant's data key; empty once sealed
	// Life is the longest that a token signed with it may live.
	Life time.Duration

	Created   time.Time
	Activated time.Time // became active; zero before
	Retired   time.Time // stopped signing; zero before
	Ended     time.Time // distrusted or sealed; zero before
}

// RevokedToken is a JWT taken away before it expired.
type RevokedToken struct {
	Hash      string // see Hash; also the id of its ground
	Tenant    string
	Principal string // for listings; may be empty
	Expires   time.Time
}

// Opaque is an opaque token as the store keeps it. The id of its ground is ID.
type Opaque struct {
	ID         string // "tok_…"
	Digest     []byte // secret.Digester, purpose "opaque token"
	Tenant     string
	Principal  string
	Credential string // what it was got with; may be empty
	Secret     string
	Grant      string   // refresh family; may be empty
	Scopes     []string // nil: not narrowed
	Audience   []string // dialects that it may be shown to; none: all
	ProofKey   string   // thumbprint of the key its bearer must prove; empty: none
	Issued     time.Time
	Expires    time.Time
	Revoked    time.Time
}

// Store is what tokens need from persistence. Changes write their audit event
// in the same transaction; those that take a right away return the number of
// the revocation they wrote.
type Store interface {
	// SigningKeys returns all keys of a tenant, whatever their state, the
	// youngest first.
	SigningKeys(ctx context.Context, tenant string) ([]SigningKey, error)
	// AddNextKey stores k as the next key unless its tenant, use and algorithm
	// have one already, and returns the one that stands.
	AddNextKey(ctx context.Context, k SigningKey, e audit.Event) (SigningKey, error)
	// ActivateKey makes the next key active and the active one, if any,
	// retiring, both at that time, in one step. ErrKeyState when the key is
	// not next any more.
	ActivateKey(ctx context.Context, id string, at time.Time, e audit.Event) error
	// DistrustKey ends all trust in a key that is next, active or retiring,
	// and revokes its ground. If it was active, the next key, if any, becomes
	// active in the same step.
	DistrustKey(ctx context.Context, id string, at time.Time, e audit.Event) (change int64, err error)
	// SealKey erases the private half of a retiring or distrusted key, makes it
	// sealed, and revokes its ground.
	SealKey(ctx context.Context, id string, at time.Time, e audit.Event) (change int64, err error)

	// RevokeToken keeps the hash until Expires and revokes its ground (Token).
	// Doing so again writes nothing new and returns the first change.
	RevokeToken(ctx context.Context, t RevokedToken, e audit.Event) (change int64, err error)
	// TokenRevoked reports whether the JWT with that hash was revoked.
	TokenRevoked(ctx context.Context, hash string) (bool, error)

	// AddOpaque stores a token. Events, where there are any, are written with it.
	AddOpaque(ctx context.Context, t Opaque, e ...audit.Event) error
	// OpaqueByDigest finds by any of the digests, revoked and expired ones
	// included.
	OpaqueByDigest(ctx context.Context, tenant string, digests [][]byte) (Opaque, error)
	// Opaques lists the tokens of a principal that have not expired, the
	// youngest first. Digest is left out.
	Opaques(ctx context.Context, tenant, principal string, limit int) ([]Opaque, error)
	// RevokeOpaque revokes one and its ground (Token, with its id).
	RevokeOpaque(ctx context.Context, id string, at time.Time, e audit.Event) (change int64, err error)

	// SweepTokens removes what expired before that time: revoked hashes and
	// opaque tokens. It returns how many went.
	SweepTokens(ctx context.Context, before time.Time) (int64, error)
}
