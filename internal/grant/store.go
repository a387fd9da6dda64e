package grant

import (
	"context"
	"errors"
	"time"

	"gatehouse.dev/internal/audit"
)

// Errors that a Store returns.
var (
	ErrNotFound = errors.New("no such grant or refresh token")
	// ErrReused: the token had been rotated and no repeat was allowed. The
	// family has ended; Rotated.Change is the number of the revocation.
	ErrReused = errors.New("the refresh token was used again; its family has ended")
	// ErrEnded: the family had ended before, or it or the token has expired.
	ErrEnded = errors.New("the grant has ended")
)

// Grant is one refresh family.
type Grant struct {
	ID         string // "grt_…", also the id of its ground
	Tenant     string
	Principal  string // whose rights it carries
	Client     string // principal id of the client that may use it
	Credential string // what the client showed when it was made; may be empty
	Secret     string
	Scopes     []string // nil: not narrowed
	Audience   []string
	ProofKey   string // thumbprint of the key the client must prove; empty: none
	Created    time.Time
	Expires    time.Time     // of the whole family
	Idle       time.Duration // life of each refresh token; zero: until Expires
	Ended      time.Time     // zero: not ended
	EndReason  string
}

// Refresh is one token of a family.
type Refresh struct {
	Digest     []byte // secret.Digester, purpose "refresh token"
	Grant      string
	Generation int64 // from 1
	// Salt goes into the derivation of the successor. Empty once erased.
	Salt    []byte
	Issued  time.Time
	Expires time.Time
	Rotated time.Time // zero: this is the newest
	// RotatedBy is a fingerprint of who rotated it: client authentication and
	// proof key.
	RotatedBy []byte
}

// Rotation asks to replace a refresh token by its successor.
type Rotation struct {
	Presented []byte  // digest of the token shown, as stored
	Next      Refresh // the successor; Grant and Generation follow from the presented one
	By        []byte  // fingerprint of who asks
	// Window is how long after a rotation a repeat is answered, by the
	// database's clock.
	Window time.Duration
}

// Rotated says what a rotation did.
type Rotated struct {
	Repeat bool  // the rotation had been done before; the same successor stands
	Change int64 // with ErrReused, the revocation that ended the family
}

// Store is what grants need from persistence. Changes write their audit event
// in the same transaction.
type Store interface {
	// CreateGrant stores a family and its first refresh token.
	CreateGrant(ctx context.Context, g Grant, first Refresh, e audit.Event) error
	// RefreshByDigest finds a refresh token, whatever its state, by any of the
	// digests, with its family.
	RefreshByDigest(ctx context.Context, tenant string, digests [][]byte) (Refresh, Grant, error)

	// RotateRefresh replaces a token by its successor in one step:
	//
	//   - The family has ended or expired, or the token has expired unrotated:
	//     ErrEnded, nothing changes.
	//   - The token is the newest: it becomes rotated now (by the database's
	//     clock) and by By, the successor is stored, and the salt of its
	//     predecessor is erased, because this is the successor's first use.
	//   - It was rotated no longer than Window ago, its salt is there, By is
	//     the same and the stored successor is Next: Repeat, nothing changes.
	//   - Else it is reuse: the family ends, all its salts are erased, its
	//     ground is revoked, reused is written as audit event, and ErrReused
	//     comes back with the change.
	//
	// Twenty at once with one token get one successor.
	RotateRefresh(ctx context.Context, r Rotation, reused audit.Event) (Rotated, error)
	// EndGrant ends a family, erases its salts and revokes its ground. One that
	// had ended keeps its first end, and the change of it comes back.
	EndGrant(ctx context.Context, id, reason string, e audit.Event) (change int64, err error)
	// Grants lists the families of a principal that have not ended, the
	// youngest first.
	Grants(ctx context.Context, tenant, principal string, limit int) ([]Grant, error)

	// EraseSalts erases the salts of tokens rotated longer than window ago, by
	// the database's clock. It returns how many.
	EraseSalts(ctx context.Context, window time.Duration) (int64, error)
	// SweepGrants removes families, with their tokens, that ended or expired
	// before that time.
	SweepGrants(ctx context.Context, before time.Time) (int64, error)
}
