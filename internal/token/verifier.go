package token

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"gatehouse.dev/internal/fair"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/tenant"
)

// Revoked knows the JWTs that were taken away one by one. Store is one.
type Revoked interface {
	TokenRevoked(ctx context.Context, hash string) (bool, error)
}

// Verifier checks JWTs that Gatehouse issued. Fill in the fields before use;
// it is then safe for concurrent use.
type Verifier struct {
	Keys    *Keys
	Revoked Revoked
	// Turns bounds the signatures that are checked at once, fairly by source.
	Turns *fair.Queue
	// Profiles are the kinds of tokens that a tenant accepts, for callers who
	// do not say which they expect.
	Profiles func(tenant.Tenant) []*Profile
	Now      func() time.Time // nil: the system's clock
	Leeway   time.Duration    // for clocks that differ; zero: Leeway
}

// VerifyJWT believes a token or says why not: see [ErrInvalid]. With a nil
// profile it takes the one of the tenant's that fits the token's header.
//
// The order is deliberate. Whatever can be refused by reading is refused
// before anything is computed; whatever is computed waits for its turn.
func (v *Verifier) VerifyJWT(ctx context.Context, t tenant.Tenant, p *Profile, tok secret.Text, remote netip.Addr) (Verified, error) {
	parsed, err := Parse(tok)
	if err != nil {
		return Verified{}, err
	}
	if p == nil {
		if p = v.choose(t, parsed); p == nil {
			return Verified{}, ErrProfile
		}
	} else if !p.Fits(parsed) {
		return Verified{}, ErrProfile
	}
	s, err := p.Read(parsed.Claims)
	if err != nil {
		return Verified{}, err
	}
	now := v.now()
	if err := v.check(t, s, now); err != nil {
		return Verified{}, err
	}
	key, err := v.signature(ctx, keyRow{t.ID, p.Use, p.Alg}, parsed, s.Issued, now, remote)
	if err != nil {
		return Verified{}, err
	}
	hash := parsed.Hash()
	revoked, err := v.Revoked.TokenRevoked(ctx, hash)
	if err != nil {
		return Verified{}, fmt.Errorf("look for revocation of token: %w", err)
	}
	if revoked {
		return Verified{}, ErrRevoked
	}
	return Verified{Subject: s, Hash: hash, SigningKey: key}, nil
}

func (v *Verifier) choose(t tenant.Tenant, parsed *Parsed) *Profile {
	if v.Profiles == nil {
		return nil
	}
	for _, p := range v.Profiles(t) {
		if p.Fits(parsed) {
			return p
		}
	}
	return nil
}

// check is all that can be said without a signature.
func (v *Verifier) check(t tenant.Tenant, s Subject, now time.Time) error {
	leeway := v.leeway()
	switch {
	case s.Tenant == "" && s.TenantNumber == 0,
		s.Tenant != "" && s.Tenant != t.ID,
		s.TenantNumber != 0 && s.TenantNumber != t.Number:
		return ErrTenant
	case !s.Expires.After(s.Issued):
		return fmt.Errorf("%w: it expires before it was issued", ErrClaims)
	case s.Expires.Sub(s.Issued) > v.Keys.o.Life+grace:
		return fmt.Errorf("%w: it lives longer than any token issued here", ErrClaims)
	case s.Issued.After(now.Add(leeway)):
		return ErrNotYet
	case !now.Before(s.Expires.Add(leeway)):
		return ErrExpired
	}
	return nil
}

// signature finds the key that signed the token and returns its id.
func (v *Verifier) signature(ctx context.Context, r keyRow, p *Parsed, iat, now time.Time, remote netip.Addr) (string, error) {
	set, err := v.Keys.set(ctx, r.tenant)
	if err != nil {
		return "", err
	}
	tried := map[string]bool{}
	verdict := error(ErrKey)
	for range 2 {
		for _, h := range set.candidates(r, p.KeyID, iat, now, v.leeway()) {
			if tried[h.ID] {
				continue
			}
			tried[h.ID] = true
			err := v.compute(ctx, p, h.public, remote)
			if err == nil {
				return h.ID, nil
			}
			if !errors.Is(err, ErrInvalid) {
				return "", err
			}
			verdict = err
		}
		// Perhaps another node has rotated just now.
		if set, err = v.Keys.reloadOlder(ctx, r.tenant, set); err != nil {
			return "", err
		}
	}
	return "", verdict
}

// compute checks the signature when its turn has come.
func (v *Verifier) compute(ctx context.Context, p *Parsed, k PublicKey, remote netip.Addr) error {
	leave, err := v.Turns.Enter(ctx, source(remote))
	if err != nil {
		return fmt.Errorf("verify signature: %w", err)
	}
	defer leave()
	return p.Verify(k)
}

// source is on whose behalf a signature is checked: an address, or for IPv6
// the network that one subscriber gets.
func source(a netip.Addr) string {
	a = a.Unmap()
	if a.Is6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}

func (v *Verifier) now() time.Time {
	if v.Now == nil {
		return time.Now()
	}
	return v.Now()
}

func (v *Verifier) leeway() time.Duration {
	if v.Leeway == 0 {
		return Leeway
	}
	return v.Leeway
}
