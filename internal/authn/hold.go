package authn

import (
	"context"
	"errors"
	"net/netip"

	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/live"
	"gatehouse.dev/internal/remember"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/tenant"
	"gatehouse.dev/internal/token"
)

// holdTries bounds how often a conn is asked again before its first frame.
const holdTries = 3

// Hold puts a conn in the live index and then makes sure that its grounds
// still stand. Only after it has returned without error may the first frame
// go out. The caller calls Handle.Close in the end.
func (s *Service) Hold(ctx context.Context, id *identity.Identity, c live.Conn) (*live.Handle, error) {
	c.Identity = id
	h := s.Live.Open(c)
	if r := s.stillStands(ctx, h, c.Recheck); r != nil {
		h.Close()
		return nil, r
	}
	return h, nil
}

func (s *Service) stillStands(ctx context.Context, h *live.Handle, recheck func(context.Context) (*identity.Identity, error)) *Refusal {
	for range holdTries {
		if r := s.fresh(); r != nil {
			return r
		}
		now := h.Identity()
		intact := s.Log.Intact(now.Grounds, now.AsOf)
		if h.Ended() != 0 {
			return invalid("ended while it was opened")
		}
		if intact {
			return nil
		}
		again, r := askAgain(ctx, recheck)
		if r != nil {
			return r
		}
		s.Live.Replace(h, again)
	}
	return unavailable("could not find out", remember.ErrOvertaken)
}

// Stand is for what is done once and not held: right before it is done, it makes
// sure that what was believed of the caller was not taken away while the rest
// was decided. It returns id, or whom recheck has found in his place. Where
// nothing was taken away it costs a look at the table of the log.
func (s *Service) Stand(ctx context.Context, id *identity.Identity, recheck func(context.Context) (*identity.Identity, error)) (*identity.Identity, error) {
	for range holdTries {
		if r := s.fresh(); r != nil {
			return nil, r
		}
		if s.Log.Intact(id.Grounds, id.AsOf) {
			return id, nil
		}
		again, r := askAgain(ctx, recheck)
		if r != nil {
			return nil, r
		}
		id = again
	}
	return nil, unavailable("could not find out", remember.ErrOvertaken)
}

// askAgain asks about somebody of whom something was taken away. Whoever cannot
// be asked about is refused.
func askAgain(ctx context.Context, recheck func(context.Context) (*identity.Identity, error)) (*identity.Identity, *Refusal) {
	if recheck == nil {
		return nil, invalid("taken away while it was opened")
	}
	again, err := recheck(ctx)
	var r *Refusal
	switch {
	case errors.As(err, &r):
		return nil, r
	case err != nil:
		return nil, unavailable("could not find out", err)
	}
	return again, nil
}

// Renew finds out anew who an identity is, without what was presented: whether
// its owner and secret still may be used, and with which roles. It is for
// conns, which must not keep a secret; whoever calls it asks policy again too.
// remote is where the conn comes from.
func (s *Service) Renew(ctx context.Context, id *identity.Identity, remote netip.Addr) (*identity.Identity, error) {
	return s.RenewAs(ctx, id, remote, "")
}

// RenewAs is Renew for a conn whose attempt had a User.
func (s *Service) RenewAs(ctx context.Context, id *identity.Identity, remote netip.Addr, user string) (*identity.Identity, error) {
	if r := s.fresh(); r != nil {
		return nil, r
	}
	k := s.prints.Of(noSecret, id.Credential+"/"+id.Principal, id.Secret, tokenOf(id), id.Dialect, string(id.Method))
	b, ok := s.renewed.Get(k)
	if !ok {
		var err error
		b, _, err = s.renewed.Load(ctx, k, func(ctx context.Context) (remember.Belief[*believed], error) { return s.renew(ctx, id) })
		var r *Refusal
		switch {
		case errors.As(err, &r):
			return nil, r
		case err != nil:
			return nil, unavailable("could not find out", err)
		}
	}
	if why := b.allows(bearing{remote, s.country(remote), user}, s.Now()); why != "" {
		return nil, about(invalid(why), id.Credential, id.Principal)
	}
	return b.identity, nil
}

// renew reads id's owner again. Errors are Refusals.
func (s *Service) renew(ctx context.Context, id *identity.Identity) (remember.Belief[*believed], error) {
	asOf := s.Log.Position()
	a := &Attempt{
		Tenant:  tenant.Tenant{ID: id.Tenant, Number: id.TenantNumber, Name: id.TenantName},
		Dialect: id.Dialect,
		Method:  id.Method,
	}
	var none remember.Belief[*believed]
	if r := s.switchedOn(ctx, a, asOf); r != nil {
		return none, r
	}
	b, r := s.bearer(ctx, a, &token.Subject{Principal: id.Principal, Credential: id.Credential, Secret: id.Secret})
	if r != nil {
		return none, r
	}
	now := b.identity
	now.AsOf = asOf
	if !id.Issued.IsZero() {
		if id.Issued.Before(now.NotBefore) {
			return none, about(invalid("token ended with all earlier ones"), id.Credential, id.Principal)
		}
		own := tokenGrounds(id)
		// The token itself is not read again: it stands unless it was taken away
		// since it was believed.
		if !s.Log.Intact(own, id.AsOf) {
			return none, about(invalid("token revoked"), id.Credential, id.Principal)
		}
		now.Scopes, now.Issued = id.Scopes, id.Issued
		now.Expires = earliest(now.Expires, id.Expires)
		now.Grounds = append(now.Grounds, own...)
	}
	return remember.Belief[*believed]{Value: b, Grounds: now.Grounds, AsOf: asOf, Until: now.Expires}, nil
}

// tokenGrounds are the grounds of id that come from its token.
func tokenGrounds(id *identity.Identity) []revocation.Ground {
	var own []revocation.Ground
	for _, g := range id.Grounds {
		switch g.Kind {
		case revocation.Token, revocation.TokensOf, revocation.SigningKey, revocation.Grant, revocation.Session:
			own = append(own, g)
		}
	}
	return own
}

// tokenOf names id's token; empty when it has none.
func tokenOf(id *identity.Identity) string {
	for _, g := range id.Grounds {
		if g.Kind == revocation.Token {
			return g.ID
		}
	}
	return ""
}
