package authn

import (
	"context"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/token"
)

// believed is what is remembered: who it is, and the constraints that are
// looked at every time. It does not say that any of them is met now.
type believed struct {
	identity   *identity.Identity
	limits     credential.Constraints
	secretFrom time.Time
	secretEnds time.Time
	found      time.Time    // when the store was read for it
	metered    bool         // its logins are counted
	until      time.Time    // not remembered longer; zero: as long as the identity lives
	weak       bool         // throttled also when remembered
	noted      atomic.Int64 // when its use was last noted, in Unix seconds
}

// bearing is how a credential is used: what constraints are about, besides time.
type bearing struct {
	remote  netip.Addr
	country string
	user    string // that the caller says it is; see Attempt.User
}

func (a *Attempt) bearing() bearing { return bearing{a.Remote, a.Country, a.User} }

// allows says why b may not be used like that at that time; empty: it may.
func (b *believed) allows(how bearing, at time.Time) string {
	switch {
	case at.Before(b.limits.NotBefore), at.Before(b.secretFrom):
		return "before its first day"
	case ended(b.limits.Expires, at):
		return "credential expired"
	case ended(b.secretEnds, at):
		return "secret expired"
	case len(b.limits.Networks) > 0 && !within(b.limits.Networks, how.remote):
		return "from another network"
	case len(b.limits.Countries) > 0 && !slices.Contains(b.limits.Countries, how.country):
		return "from another country"
	case !b.limits.AllowsUser(how.user):
		return "as another user"
	}
	return ""
}

func ended(end, at time.Time) bool { return !end.IsZero() && !at.Before(end) }

func within(networks []netip.Prefix, a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(a) })
}

// locked says why nobody may use what rec holds; empty: it may be used.
func locked(a *Attempt, rec *credential.Record) string {
	switch {
	case rec.Credential.Tenant != a.Tenant.ID:
		return "of another tenant"
	case !rec.TenantEnabled:
		return "tenant disabled"
	case !rec.Principal.Enabled:
		return "principal disabled"
	case !rec.Credential.Revoked.IsZero():
		return "credential revoked"
	case !rec.Credential.Enabled:
		return "credential disabled"
	case rec.Credential.Kind == credential.ScopedToken && rec.Credential.Created.Before(rec.Principal.NotBefore):
		return "token ended with all earlier ones"
	}
	return ""
}

// believe makes the identity of whoever showed sec of rec.
func believe(a *Attempt, rec *credential.Record, sec *credential.Secret, weak bool) *believed {
	i := ownerOf(a, &rec.Principal)
	i.TenantNumber, i.TenantName = rec.TenantNumber, rec.TenantName
	i.Credential, i.Secret, i.SecretNumber = rec.Credential.ID, sec.ID, sec.Number
	i.Expires = earliest(rec.Credential.Expires, sec.Expires)
	i.Grounds = append(i.Grounds,
		revocation.Ground{Kind: revocation.Credential, ID: rec.Credential.ID},
		revocation.Ground{Kind: revocation.Secret, ID: sec.ID})
	if rec.Credential.Kind == credential.ScopedToken {
		addScope(i, rec.Credential.Scope)
	}
	return &believed{
		metered:    rec.Credential.Kind == credential.ScopedToken,
		identity:   i,
		limits:     rec.Credential.Constraints,
		secretFrom: sec.NotBefore,
		secretEnds: sec.Expires,
		weak:       weak,
	}
}

// addScope narrows i to what its token was made for. It is a token of its owner
// and ends with all of them.
func addScope(i *identity.Identity, s credential.Scope) {
	i.Scopes = append([]string{}, s.Actions...)
	i.Only = []identity.Thing{{Type: s.Type, ID: s.Key}}
	i.Grounds = append(i.Grounds, revocation.Ground{Kind: revocation.TokensOf, ID: i.Principal})
}

// ownerOf is what an identity has of its principal, however it was proved.
func ownerOf(a *Attempt, p *principal.Principal) *identity.Identity {
	i := &identity.Identity{
		Tenant: a.Tenant.ID, TenantNumber: a.Tenant.Number, TenantName: a.Tenant.Name,
		Principal: p.ID, PrincipalNumber: p.Number, Kind: p.Kind, Name: p.Name, Roles: p.Roles,
		ReuseWindow: p.ReuseWindow, NotBefore: p.NotBefore,
		Dialect: a.Dialect, Method: a.Method, Notes: new(identity.Notes),
		Grounds: []revocation.Ground{
			{Kind: revocation.Tenant, ID: a.Tenant.ID},
			{Kind: revocation.Principal, ID: p.ID},
			{Kind: revocation.Policy, ID: a.Tenant.ID},
			methodGround(a.Tenant.ID, a.Dialect, a.Method),
		},
	}
	for _, role := range p.Roles {
		i.Grounds = append(i.Grounds, revocation.Ground{Kind: revocation.Role, ID: p.ID + "/" + role})
	}
	return i
}

func methodGround(tenant, dialect string, m identity.Method) revocation.Ground {
	return revocation.Ground{Kind: revocation.Method, ID: tenant + "/" + dialect + "/" + string(m)}
}

// addToken narrows i to what a verified token lets its bearer do.
func addToken(i *identity.Identity, v *token.Verified) {
	i.Scopes, i.Issued = v.Scopes, v.Issued
	i.Expires = earliest(i.Expires, v.Expires)
	i.Grounds = append(i.Grounds, revocation.Ground{Kind: revocation.TokensOf, ID: i.Principal})
	i.Grounds = append(i.Grounds, v.Grounds()...)
}

// earliest of two ends, where zero is none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// constrain looks at what has to be looked at every time.
func (s *Service) constrain(ctx context.Context, a *Attempt, b *believed, now time.Time) *Refusal {
	why := b.allows(a.bearing(), now)
	if why == "" {
		return nil
	}
	r := about(invalid(why), b.identity.Credential, b.identity.Principal)
	if b.weak {
		// Otherwise a quick answer, or one that is never throttled, would tell
		// a stranger that he has guessed right.
		return s.asIfWrong(ctx, a, r)
	}
	return r
}
