package authn

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/live"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/remember"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/tenant"
	"gatehouse.dev/internal/throttle"
	"gatehouse.dev/internal/token"
)

// Store is what authn needs from persistence.
type Store interface {
	credential.Finder
	// ReplaceHash and NoteUses are as in credential.Store.
	ReplaceHash(ctx context.Context, secret string, old []byte, scheme credential.Scheme, hash []byte) error
	NoteUses(ctx context.Context, uses []credential.Use) error
	// TakeUse is as in credential.Store.
	TakeUse(ctx context.Context, credential string) error
	// MethodsOff is as in tenant.Methods.
	MethodsOff(ctx context.Context, tenant string) ([]tenant.MethodOff, error)
	// Principal and Tenant are as in principal.Store and tenant.Store, for tokens
	// that rest on no credential.
	Principal(ctx context.Context, id string) (principal.Principal, error)
	Tenant(ctx context.Context, id string) (tenant.Tenant, error)
}

// Log is what this node knows of rights taken away.
type Log interface {
	Position() revocation.Position
	Intact(g []revocation.Ground, asOf revocation.Position) bool
	// Fresh returns an error when this node knows too little to decide.
	Fresh() error
}

// JWTs believes signed tokens. Verdicts are token.ErrInvalid by errors.Is.
type JWTs interface {
	VerifyJWT(ctx context.Context, t tenant.Tenant, p *token.Profile, tok secret.Text, remote netip.Addr) (token.Verified, error)
}

// Opaques believes opaque tokens, with the same verdicts.
type Opaques interface {
	VerifyOpaque(ctx context.Context, t tenant.Tenant, tok secret.Text, remote netip.Addr) (token.Verified, error)
}

// Passwords checks slow hashes, a bounded number at a time. source is who is
// to wait when there are too many.
type Passwords interface {
	Verify(ctx context.Context, source, encoded string, pw secret.Text) (bool, error)
	// Nobody costs what Verify costs.
	Nobody(ctx context.Context, source string, pw secret.Text) error
	NeedsRehash(encoded string) bool
	Hash(ctx context.Context, source string, pw secret.Text) (string, error)
}

// Digests recognises strong secrets.
type Digests interface {
	Digest(secret.Text) []byte
	Candidates(secret.Text) [][]byte
	Match(stored []byte, t secret.Text) bool
	Current(stored []byte) bool
}

// Vault opens the keys of encrypted sessions; see credential.Vault.
type Vault interface {
	Salt(tenant, name string) [16]byte
	Open(ctx context.Context, tenant, secretID string, sealed []byte) (secret.Key, error)
}

// Countries tells where an address is: a code of two letters, or "" where
// nobody knows. It does no I/O.
type Countries interface {
	Country(netip.Addr) string
}

// Decider answers policy requests.
type Decider interface {
	Decide(ctx context.Context, r policy.Request) (policy.Decision, error)
}

// Recorder takes audit events. It does not block.
type Recorder interface {
	Record(ctx context.Context, e audit.Event)
}

// Options are what a Service is made of. Fields without a default are needed.
type Options struct {
	Store     Store
	Log       Log
	Passwords Passwords
	Digests   Digests
	JWTs      JWTs      // nil: no JWT is believed
	Opaques   Opaques   // nil: no opaque token is believed
	Vault     Vault     // nil: nobody logs in by encrypting
	Countries Countries // nil: no country is known
	Policy    Decider
	Audit     Recorder
	Throttle  *throttle.Throttle // a new one with its defaults
	Live      *live.Index

	// PerCredential and PerTenant limit the requests of those who are known;
	// the zero Rate is no limit.
	PerCredential, PerTenant throttle.Rate

	Remember int // verifications; 65,536

	Logger *slog.Logger     // discards
	Now    func() time.Time // time.Now
}

// Service is the one way in. Its methods are safe for concurrent use, and each
// error they return is a *Refusal.
type Service struct {
	Options
	limiter *throttle.Limiter
	// rations has a table of its own: sources are chosen by callers, and must
	// not push known callers out of theirs.
	rations *throttle.Limiter
	prints  *remember.Fingerprints
	known   *remember.Memory[*believed]
	renewed *remember.Memory[*believed]
	methods *remember.Memory[bool]
	uses    uses
	// slowPairs is set once a key pair with a slow hash has been met: from then
	// on an unknown key costs one too.
	slowPairs atomic.Bool
}

// New makes a Service. Run must run beside it.
func New(o Options) (*Service, error) {
	if o.Store == nil || o.Log == nil || o.Passwords == nil || o.Digests == nil || o.Policy == nil || o.Audit == nil || o.Live == nil {
		return nil, errors.New("make authn service: a part is missing")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Throttle == nil {
		o.Throttle = throttle.New(o.Now(), throttle.Options{})
	}
	memory := remember.Options{Log: o.Log, Size: o.Remember, Logger: o.Logger, Now: o.Now}
	s := &Service{
		Options: o,
		limiter: throttle.NewLimiter(o.Now(), 1<<15),
		rations: throttle.NewLimiter(o.Now(), 1<<15),
		prints:  remember.NewFingerprints(),
		known:   remember.New[*believed](memory),
		renewed: remember.New[*believed](memory),
		methods: remember.New[bool](memory),
	}
	s.uses.init()
	return s, nil
}

// Run writes down last uses until ctx ends, and then once more.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(usesPause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), usesTimeout)
			defer cancel()
			s.flushUses(last)
			return ctx.Err()
		case <-tick.C:
			s.flushUses(ctx)
		}
	}
}
