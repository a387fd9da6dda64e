package token

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/seal"
	"gatehouse.dev/internal/secret"
)

// ErrNoKey means that there is no key to sign with and none could be made in
// time. Edges answer 503.
var ErrNoKey = errors.New("no signing key yet")

// Leeway is how far the clock of another may be off.
const Leeway = 30 * time.Second

// Sealer keeps private keys from whoever copies the database. *seal.Keeper is
// one.
type Sealer interface {
	Seal(ctx context.Context, s seal.Scope, r seal.Row, plain []byte) ([]byte, error)
	Open(ctx context.Context, s seal.Scope, r seal.Row, sealed []byte) ([]byte, error)
}

// Log is what is known here of rights taken away. *revocation.Tail is one.
type Log interface {
	Position() revocation.Position
	Intact(g []revocation.Ground, asOf revocation.Position) bool
}

// KeysOptions shape [Keys]. Store and Sealer are needed, the rest has defaults.
type KeysOptions struct {
	Store  Store
	Sealer Sealer
	Log    Log // nil: only what the store says, as of the last read
	Logger *slog.Logger
	Now    func() time.Time

	RotateEvery time.Duration // how long a key signs; default 90 days
	PublishLead time.Duration // how long a key is published before it signs; default 10 minutes
	Life        time.Duration // the longest life of a token; default a day
	Wait        time.Duration // how long a signer waits for the first key; default 10 seconds
}

// Keys has the signing keys of every tenant. It is safe for concurrent use.
// [Keys.Run] must be running for keys to be rotated on their own.
type Keys struct {
	o KeysOptions

	flights  singleflight.Group
	mu       sync.Mutex
	sets     map[string]*keySet // by tenant
	privates map[string]*PrivateKey
	loadNo   int64
}

// NewKeys makes a Keys.
func NewKeys(o KeysOptions) *Keys {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	for _, d := range []struct {
		p    *time.Duration
		zero time.Duration
	}{
		{&o.RotateEvery, 90 * 24 * time.Hour}, {&o.PublishLead, 10 * time.Minute},
		{&o.Life, 24 * time.Hour}, {&o.Wait, 10 * time.Second},
	} {
		if *d.p <= 0 {
			*d.p = d.zero
		}
	}
	return &Keys{o: o, sets: make(map[string]*keySet), privates: make(map[string]*PrivateKey)}
}

// Signing asks for a JWT.
type Signing struct {
	Use     string
	Alg     Alg
	Type    string // typ; empty means "JWT"
	KeyID   bool   // whether to write the kid
	Claims  []byte // a JSON object, see Encode
	Expires time.Time
}

// Sign makes a JWT under the tenant's active key for that use and algorithm,
// and returns the key's id. Where there is no key yet, one is made in the
// background and waited for; [ErrNoKey] when that takes too long.
func (k *Keys) Sign(ctx context.Context, tenant string, s Signing) (tok secret.Text, keyID string, err error) {
	h, private, err := k.signer(ctx, keyRow{tenant, s.Use, s.Alg})
	if err != nil {
		return secret.Text{}, "", fmt.Errorf("sign token: %w", err)
	}
	if s.Expires.After(k.o.Now().Add(h.Life + grace)) {
		return secret.Text{}, "", fmt.Errorf("sign token: it would outlive the %v that its key is kept for", h.Life)
	}
	typ := s.Type
	if typ == "" {
		typ = "JWT"
	}
	if tok, err = private.SignJWT(typ, s.KeyID, s.Claims); err != nil {
		return secret.Text{}, "", fmt.Errorf("sign token: %w", err)
	}
	return tok, h.ID, nil
}

// signer returns the active key of a row, making the first.
func (k *Keys) signer(ctx context.Context, r keyRow) (*heldKey, *PrivateKey, error) {
	s, err := k.set(ctx, r.tenant)
	if err != nil {
		return nil, nil, err
	}
	h := s.in(r, Active)
	if h == nil {
		if h, err = k.awaitFirst(ctx, r); err != nil {
			return nil, nil, err
		}
	}
	private, err := k.private(ctx, h)
	if err != nil {
		return nil, nil, err
	}
	return h, private, nil
}

// private opens the private half and keeps it while the key is active.
func (k *Keys) private(ctx context.Context, h *heldKey) (*PrivateKey, error) {
	k.mu.Lock()
	p := k.privates[h.ID]
	k.mu.Unlock()
	if p != nil {
		return p, nil
	}
	v, err, _ := k.flights.Do("private/"+h.ID, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		return k.openPrivate(ctx, h)
	})
	if err != nil {
		return nil, err
	}
	return v.(*PrivateKey), nil
}

const loadTimeout = 10 * time.Second

func (k *Keys) openPrivate(ctx context.Context, h *heldKey) (*PrivateKey, error) {
	der, err := k.o.Sealer.Open(ctx, seal.Scope{Tenant: h.Tenant, Purpose: seal.Data}, privateRow(h.ID), h.Private)
	if err != nil {
		return nil, fmt.Errorf("open signing key %s: %w", h.ID, err)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("open signing key %s: %w", h.ID, err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("open signing key %s: a %T cannot sign", h.ID, key)
	}
	p, err := NewPrivateKey(h.ID, h.Alg, signer)
	if err != nil {
		return nil, fmt.Errorf("open signing key %s: %w", h.ID, err)
	}
	k.mu.Lock()
	k.privates[h.ID] = p
	k.mu.Unlock()
	return p, nil
}

func privateRow(id string) seal.Row {
	return seal.Row{Table: "signing_keys", Key: id, Column: "private"}
}
