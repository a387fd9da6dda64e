package authn

import (
	"context"
	"errors"
	"slices"

	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/token"
)

// findToken believes a token, and then reads its owner: a token is never worth
// more than the secret that it was got with.
func (s *Service) findToken(ctx context.Context, a *Attempt) (*believed, *Refusal) {
	v, r := s.verifyToken(ctx, a)
	if r != nil {
		return nil, r
	}
	if why := unproved(a, &v); why != "" {
		return nil, about(invalid(why), v.Credential, v.Principal)
	}
	if len(v.Audience) > 0 && !slices.Contains(v.Audience, a.Dialect) {
		return nil, about(invalid("the token is for another audience"), v.Credential, v.Principal)
	}
	b, r := s.bearer(ctx, a, &v.Subject)
	if r != nil {
		return nil, r
	}
	if v.Issued.Before(b.identity.NotBefore) {
		return nil, about(invalid("token ended with all earlier ones"), b.identity.Credential, b.identity.Principal)
	}
	addToken(b.identity, &v)
	b.until = v.Until
	if why := b.allows(a.bearing(), s.Now()); why != "" {
		r := about(invalid(why), b.identity.Credential, b.identity.Principal)
		r.mine = true
		return nil, r
	}
	return b, nil
}

// unproved says why a token's bearer may be anybody (RFC 9449, section 7).
func unproved(a *Attempt, v *token.Verified) string {
	switch {
	case v.ProofKey == a.ProofKey:
		return ""
	case a.ProofKey == "":
		return "the token needs the proof of a key"
	case v.ProofKey == "":
		return "the token is not bound to a key, and came with a proof"
	}
	return "the token is bound to another key"
}

func (s *Service) verifyToken(ctx context.Context, a *Attempt) (v token.Verified, r *Refusal) {
	var err error
	switch {
	case a.Method == identity.JWT && s.JWTs != nil:
		v, err = s.JWTs.VerifyJWT(ctx, a.Tenant, a.Profile, a.Secret, a.Remote)
	case a.Method == identity.Opaque && s.Opaques != nil:
		v, err = s.Opaques.VerifyOpaque(ctx, a.Tenant, a.Secret, a.Remote)
	default:
		return v, invalid("no tokens of this kind")
	}
	switch {
	case err == nil:
		return v, nil
	case errors.Is(err, token.ErrExpired):
		return v, &Refusal{Kind: Expired, Reason: "token expired"}
	case errors.Is(err, token.ErrInvalid):
		return v, invalid(err.Error())
	}
	return v, unavailable("tokens cannot be checked", err)
}

// bearer reads the owner of a token, by what the token says of it.
func (s *Service) bearer(ctx context.Context, a *Attempt, t *token.Subject) (*believed, *Refusal) {
	rec, err := s.tokenRecord(ctx, t)
	switch {
	case errors.Is(err, errNoCredential):
		return s.owner(ctx, a, t)
	case errors.Is(err, credential.ErrNotFound):
		return nil, invalid("the token's credential is gone")
	case err != nil:
		return nil, unavailable("credentials cannot be read", err)
	}
	no := func(reason string) *Refusal {
		return about(invalid(reason), rec.Credential.ID, rec.Principal.ID)
	}
	sec := secretOf(&rec, t)
	switch {
	case sec == nil:
		return nil, no("the token's secret is gone")
	case !sec.Revoked.IsZero():
		return nil, no("the token's secret is revoked")
	case t.Principal != "" && t.Principal != rec.Principal.ID,
		t.PrincipalNumber != 0 && t.PrincipalNumber != rec.Principal.Number:
		return nil, no("the token's owner is another")
	}
	if why := locked(a, &rec); why != "" {
		return nil, no(why)
	}
	return believe(a, &rec, sec, false), nil
}

// errNoCredential means that a token names its owner only.
var errNoCredential = errors.New("the token names no credential")

func (s *Service) tokenRecord(ctx context.Context, t *token.Subject) (credential.Record, error) {
	switch {
	case t.SecretNumber != 0:
		return s.Store.RecordBySecretNumber(ctx, t.SecretNumber)
	case t.Credential != "":
		return s.Store.RecordByCredential(ctx, t.Credential)
	}
	return credential.Record{}, errNoCredential
}

// secretOf is the secret that a token was got with.
func secretOf(rec *credential.Record, t *token.Subject) *credential.Secret {
	for i := range rec.Secrets {
		sec := &rec.Secrets[i]
		if t.SecretNumber != 0 && sec.Number == t.SecretNumber || t.Secret != "" && sec.ID == t.Secret {
			return sec
		}
	}
	return nil
}

// owner believes the bearer of a token that was got without a credential, such
// as by a person's session.
func (s *Service) owner(ctx context.Context, a *Attempt, t *token.Subject) (*believed, *Refusal) {
	if t.Principal == "" {
		return nil, invalid("token names nobody")
	}
	p, err := s.Store.Principal(ctx, t.Principal)
	switch {
	case errors.Is(err, principal.ErrNotFound):
		return nil, invalid("the token's owner is gone")
	case err != nil:
		return nil, unavailable("principals cannot be read", err)
	case p.Tenant != a.Tenant.ID:
		return nil, about(invalid("of another tenant"), "", p.ID)
	case !p.Enabled:
		return nil, about(invalid("principal disabled"), "", p.ID)
	}
	// The attempt's own tenant may have been read before it was disabled.
	of, err := s.Store.Tenant(ctx, p.Tenant)
	if err != nil {
		return nil, unavailable("tenants cannot be read", err)
	}
	if !of.Enabled {
		return nil, about(invalid("tenant disabled"), "", p.ID)
	}
	return &believed{identity: ownerOf(a, &p)}, nil
}
