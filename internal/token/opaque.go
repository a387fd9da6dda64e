package token

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/id"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/tenant"
)

// OpaquePrefix begins every opaque token.
const OpaquePrefix = "ght_"

// OpaqueTokens issues and checks tokens that say nothing by themselves. They
// are looked up on every use that is not remembered, so revoking one needs no
// more than its row. Make it with [NewOpaqueTokens].
type OpaqueTokens struct {
	store    Store
	digester *secret.Digester
	now      func() time.Time
}

// NewOpaqueTokens makes an OpaqueTokens. A nil clock is the system's.
func NewOpaqueTokens(store Store, d *secret.Digester, now func() time.Time) (*OpaqueTokens, error) {
	d, err := d.For("opaque token")
	if err != nil {
		return nil, err
	}
	if now == nil {
		now = time.Now
	}
	return &OpaqueTokens{store: store, digester: d, now: now}, nil
}

// Issue makes a token of that lifetime with the owner, scopes and proof key of
// o, and fills in the rest. The text is not kept. Events are written with it.
func (x *OpaqueTokens) Issue(ctx context.Context, o Opaque, lifetime time.Duration, e ...audit.Event) (secret.Text, Opaque, error) {
	if o.Tenant == "" || o.Principal == "" || lifetime <= 0 {
		return secret.Text{}, Opaque{}, errors.New("issue opaque token: tenant, principal or lifetime is missing")
	}
	text := secret.Generate(OpaquePrefix)
	o.ID = id.New("tok")
	o.Digest = x.digester.Digest(text)
	o.Issued = x.now()
	o.Expires = o.Issued.Add(lifetime)
	o.Revoked = time.Time{}
	if err := x.store.AddOpaque(ctx, o, e...); err != nil {
		return secret.Text{}, Opaque{}, fmt.Errorf("issue opaque token: %w", err)
	}
	return text, o, nil
}

// VerifyOpaque believes a token or says why not: see [ErrInvalid]. What is no
// token of ours by its checksum is refused without a look-up, so nobody has to wait
// for his turn here.
func (x *OpaqueTokens) VerifyOpaque(ctx context.Context, t tenant.Tenant, text secret.Text, _ netip.Addr) (Verified, error) {
	if !secret.WellFormed(OpaquePrefix, text) {
		return Verified{}, ErrMalformed
	}
	o, err := x.store.OpaqueByDigest(ctx, t.ID, x.digester.Candidates(text))
	if errors.Is(err, ErrNotFound) {
		return Verified{}, ErrUnknown
	}
	if err != nil {
		return Verified{}, fmt.Errorf("look up opaque token: %w", err)
	}
	switch {
	case !x.digester.Match(o.Digest, text):
		return Verified{}, ErrUnknown
	case o.Tenant != t.ID:
		return Verified{}, ErrTenant
	case !o.Revoked.IsZero():
		return Verified{}, ErrRevoked
	case !x.now().Before(o.Expires):
		return Verified{}, ErrExpired
	}
	return Verified{
		Subject: Subject{
			Tenant: o.Tenant, TenantNumber: t.Number, Principal: o.Principal,
			Credential: o.Credential, Secret: o.Secret, Grant: o.Grant, Scopes: o.Scopes, Audience: o.Audience,
			Issued: o.Issued, Expires: o.Expires, ID: o.ID, ProofKey: o.ProofKey,
		},
		Hash: o.ID,
	}, nil
}
