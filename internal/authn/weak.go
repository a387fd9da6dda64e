package authn

import (
	"context"
	"net/netip"

	"gatehouse.dev/internal/throttle"
)

// turnstile is the throttle's part in one attempt: asked once, before the
// first weak secret is looked at, and told the outcome once.
type turnstile struct {
	s     *Service
	a     *Attempt
	asked bool
	turn  throttle.Turn
}

// enter asks the throttle, unless it has been asked before.
func (t *turnstile) enter(ctx context.Context) *Refusal {
	if t.asked {
		return nil
	}
	t.asked = true
	var v throttle.Verdict
	t.turn, v = t.s.Throttle.Ask(t.s.Now(), throttleKey(t.a))
	return t.s.verdict(ctx, t.a, v)
}

func (t *turnstile) failed()    { t.turn.Failed(t.s.Now()) }
func (t *turnstile) succeeded() { t.turn.Succeeded(t.s.Now()) }
func (t *turnstile) dropped()   { t.turn.Dropped(t.s.Now()) }

// throttleKey names the identity by method, so that a user and a key of the
// same name do not share an allowance.
func throttleKey(a *Attempt) throttle.Key {
	return throttle.Key{Tenant: a.Tenant.ID, Identity: string(a.Method) + ":" + a.Name, Source: a.Remote}
}

// look refuses what is throttled at the moment, for attempts that are
// remembered to be right.
func (s *Service) look(ctx context.Context, a *Attempt) *Refusal {
	return s.verdict(ctx, a, s.Throttle.Look(s.Now(), throttleKey(a)))
}

// verdict turns the throttle's answer into ours. A throttled identity costs
// what a wrong secret costs.
func (s *Service) verdict(ctx context.Context, a *Attempt, v throttle.Verdict) *Refusal {
	switch v.Kind {
	case throttle.OK:
		return nil
	case throttle.Later:
		return &Refusal{Kind: Throttled, RetryAfter: v.RetryAfter, Reason: "source throttled"}
	default:
		return s.spend(ctx, a, invalid("identity throttled"))
	}
}

// spend does the work of checking a wrong secret, and then returns r.
func (s *Service) spend(ctx context.Context, a *Attempt, r *Refusal) *Refusal {
	if err := s.Passwords.Nobody(ctx, sourceOf(a.Remote), a.Secret); err != nil {
		return unavailable("passwords cannot be checked", err)
	}
	return r
}

// asIfWrong charges and spends what a wrong secret would, and returns r.
func (s *Service) asIfWrong(ctx context.Context, a *Attempt, r *Refusal) *Refusal {
	t := turnstile{s: s, a: a}
	if refused := t.enter(ctx); refused != nil {
		return refused
	}
	r = s.spend(ctx, a, r)
	if r.Kind == Unavailable {
		t.dropped()
	} else {
		t.failed()
	}
	return r
}

// sourceOf is on whose behalf a hash is computed: an address, or for IPv6 the
// network that one subscriber gets.
func sourceOf(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}
