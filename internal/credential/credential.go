// Package credential has what a principal can show: passwords, API keys, and
// pairs of key and secret. A credential holds several secrets at once, so that
// one can be rotated while the old one still works.
//
// Secrets that we generate have at least 128 bits of randomness and are stored
// as a keyed hash under a versioned look-up key; passwords and imported hashes
// keep the scheme they came in until their first use.
package credential

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/principal"
)

// Errors that a Store returns.
var (
	ErrNotFound = errors.New("no such credential")
	ErrExists   = errors.New("a credential with that name exists")
)

// Kind says how the credential is shown.
type Kind string

// The kinds.
const (
	Password Kind = "password" // Lookup is the normalised user name
	APIKey   Kind = "api_key"  // one string; found by its digest; Lookup is its first characters, for people
	KeyPair  Kind = "key_pair" // Lookup is the public key, found exactly
	// Encryption is never sent: both ends encrypt under a key made of it. Lookup
	// is the normalised user name.
	Encryption Kind = "encryption"
	// ScopedToken opens one thing, for whoever has it: the sale that a QR code
	// names. Found by its digest, as an API key; Lookup likewise.
	ScopedToken Kind = "scoped_token"
)

// Credential is one thing a principal can show.
type Credential struct {
	ID        string // "cre_…"
	Number    int64  // given once, never reused
	Tenant    string
	Principal string
	Kind      Kind
	Dialect   string // whose shape it has: "ayyeka", "gatehouse", …
	Lookup    string // see Kind; unique per tenant and kind, except where a digest finds it
	Comment   string
	Enabled   bool
	Revoked   time.Time // zero: not revoked; a revoked credential never comes back
	Constraints
	Scope   Scope // of a ScopedToken
	Uses    int64 // how often a ScopedToken has been used to log in
	Created time.Time
	// CreatedBy is who made it: the id of a principal, "local" for the Unix socket,
	// "system" for the program itself; empty when it is older than this record.
	CreatedBy string
	LastUsed  time.Time  // the latest of its secrets
	LastFrom  netip.Addr // from where that was; not valid: not known
}

// Constraints narrow when and from where a credential works. They are checked
// on every use, remembered or not.
type Constraints struct {
	Networks  []netip.Prefix // empty: everywhere
	Countries []string       // ISO 3166 codes in upper case; empty: everywhere, also where it is not known
	// Users are the users that its bearer may connect as, where a protocol lets
	// callers say so beside the credential (Acqueon's connection name). Empty: any.
	// Otherwise it works in no protocol where nobody says so.
	Users     []string
	NotBefore time.Time
	Expires   time.Time // zero: never
}

// AllowsUser reports whether the bearer may connect as that user; empty: nobody
// was named. Upper and lower case are the same.
func (c *Constraints) AllowsUser(user string) bool {
	if len(c.Users) == 0 {
		return true
	}
	return user != "" && slices.ContainsFunc(c.Users, func(u string) bool { return strings.EqualFold(u, user) })
}

// Scope is what a ScopedToken opens.
type Scope struct {
	Type    string   // of the resource, a Cedar entity type: "Sale"
	Key     string   // which one: "7741"
	Actions []string // "fd1:sales:get_sale", or a group "fd1:sales:*"
	MaxUses int64    // logins; 0: no limit
}

// ByDigest reports whether credentials of the kind are found by the digest of
// what was shown, so that nobody looks for a name.
func (k Kind) ByDigest() bool { return k == APIKey || k == ScopedToken }

// Scheme says how a secret is stored.
type Scheme string

// The schemes. Hashed holds text in the form internal/password reads.
const (
	Digest Scheme = "digest" // keyed hash under a versioned look-up key
	Hashed Scheme = "hashed" // Argon2id, bcrypt, PBKDF2 or SHA-256 text
	Sealed Scheme = "sealed" // the key made of the secret, as a Vault seals it
)

// Secret is one of the live secrets of a credential; the text itself is not kept.
type Secret struct {
	ID         string // "sec_…"
	Number     int64  // given once, never reused; second half of Ayyeka's sub
	Credential string
	Scheme     Scheme
	Hash       []byte
	NotBefore  time.Time
	Expires    time.Time // zero: never
	Revoked    time.Time
	Created    time.Time
	LastUsed   time.Time
	LastFrom   netip.Addr // from where it was used last; not valid: not known
}

// Live reports whether the secret may be shown at that time.
func (s Secret) Live(at time.Time) bool {
	return s.Revoked.IsZero() && !at.Before(s.NotBefore) && (s.Expires.IsZero() || at.Before(s.Expires))
}

// Record is everything a verification reads, in one transaction.
type Record struct {
	Credential    Credential
	Secrets       []Secret
	Principal     principal.Principal // with roles
	TenantNumber  int64
	TenantName    string
	TenantEnabled bool
}

// Filter narrows a listing; zero fields match all.
type Filter struct {
	Tenant, Principal, Dialect string
	Kind                       Kind
	ResourceType, ResourceKey  string // of a ScopedToken
	After                      string
	Limit                      int // 0: 100; at most 1000
}

// Use is a note that a secret was used; notes are written in batches.
type Use struct {
	Secret string
	At     time.Time
	From   netip.Addr // not valid: not known
}

// Finder is what verification needs from persistence.
type Finder interface {
	// RecordByLookup finds a password by user name or a pair by key.
	RecordByLookup(ctx context.Context, tenant string, k Kind, lookup string) (Record, error)
	// RecordByDigest finds a credential of that kind by any of the digests (one
	// for each version of the look-up key, and the plain SHA-256 of imported
	// keys).
	RecordByDigest(ctx context.Context, tenant string, k Kind, digests [][]byte) (Record, error)
	// RecordBySecretNumber finds by the number of a secret, for tokens.
	RecordBySecretNumber(ctx context.Context, number int64) (Record, error)
	// RecordByCredential finds by credential id, for tokens that name it.
	RecordByCredential(ctx context.Context, id string) (Record, error)
}

// Store is what credentials need from persistence. Every change writes its
// audit event in the same transaction; those that take a right away return the
// number of the revocation they wrote.
type Store interface {
	Finder
	// CreateCredential assigns the numbers and stores both.
	CreateCredential(ctx context.Context, c Credential, s []Secret, e audit.Event) (Credential, []Secret, error)
	// ImportCredentials stores many in one transaction, with principals made
	// when absent; existing lookups are reported, not replaced.
	ImportCredentials(ctx context.Context, batch []Import, e audit.Event) ([]ImportResult, error)
	Credential(ctx context.Context, id string) (Credential, error)
	Credentials(ctx context.Context, f Filter) ([]Credential, error)
	Secrets(ctx context.Context, credential string) ([]Secret, error)
	SetComment(ctx context.Context, id, comment string, e audit.Event) error
	// SetConstraints may narrow: it writes a revocation of effect Recheck.
	SetConstraints(ctx context.Context, id string, c Constraints, e audit.Event) (change int64, err error)
	EnableCredential(ctx context.Context, id string, e audit.Event) error
	DisableCredential(ctx context.Context, id string, e audit.Event) (change int64, err error)
	RevokeCredential(ctx context.Context, id string, e audit.Event) (change int64, err error)
	// AddSecret adds next and lets the live older ones end at oldExpires (zero:
	// they stay). At most eight live secrets; more is ErrTooMany. Where it
	// shortens a life it writes a revocation of effect Recheck on the grounds
	// of those secrets (what is remembered of them knows a later end, or none)
	// and returns its number; else the number is 0.
	AddSecret(ctx context.Context, next Secret, oldExpires time.Time, e audit.Event) (added Secret, change int64, err error)
	// ReplaceCredential stores next with its secret, for the owner and with the
	// comment, the constraints and the switch of the old credential as they stand,
	// and ends the old one: at that time, or sooner if it would, with a revocation
	// of effect Recheck; or, where ends is zero, by revoking it.
	ReplaceCredential(ctx context.Context, old string, ends time.Time, next Credential, s Secret, e audit.Event) (made Credential, secret Secret, change int64, err error)
	// RevokeSecret ends one secret and what rests on it.
	RevokeSecret(ctx context.Context, id string, e audit.Event) (change int64, err error)
	// TakeUse counts one more use of a ScopedToken, in one step with the look
	// whether it has one left; ErrUsedUp when it has not.
	TakeUse(ctx context.Context, id string) error
	// RevokeScoped revokes every living ScopedToken for that resource, and
	// returns how many; none is no error, and no change.
	RevokeScoped(ctx context.Context, tenant, resourceType, resourceKey string, e audit.Event) (n int, change int64, err error)
	// ReplaceHash upgrades the stored form of a secret if it still is old.
	ReplaceHash(ctx context.Context, secret string, old []byte, scheme Scheme, hash []byte) error
	// NoteUses records last uses, keeping the later one.
	NoteUses(ctx context.Context, uses []Use) error
}

// ErrTooMany is returned when a credential has all the live secrets it may have.
var ErrTooMany = errors.New("the credential has eight live secrets; revoke one first")

// MaxSecrets is how many live secrets a credential may have.
const MaxSecrets = 8

// ErrUsedUp is returned when a ScopedToken was used as often as it may be.
var ErrUsedUp = errors.New("the token has been used as often as it may be")

// Import is one existing credential to take over. Principal.Name and Kind say
// whose it is; the principal is made when absent.
type Import struct {
	Principal  principal.Principal
	Credential Credential
	Secret     Secret
}

// ImportResult says what became of one Import.
type ImportResult struct {
	Credential string // id, when stored
	Existed    bool   // the lookup or digest was there already
}
