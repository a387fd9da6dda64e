package authn

import (
	"context"
	"strings"
	"time"

	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/throttle"
)

// Allow asks whether an identity may do something. It returns nil, or a
// Refusal of kind Denied or Unavailable.
func (s *Service) Allow(ctx context.Context, r policy.Request) error {
	if refusal := s.fresh(); refusal != nil {
		return refusal
	}
	if r.Country == "" {
		r.Country = s.country(r.Source)
	}
	d, err := s.Policy.Decide(ctx, r)
	if err != nil {
		return unavailable("policies cannot be read", err)
	}
	if len(d.Errors) > 0 {
		refusal := &Refusal{Kind: Denied, Reason: "policy error: " + strings.Join(d.Errors, "; ")}
		s.denied(ctx, &r, "policy.error", refusal)
		return refusal
	}
	if !d.Allowed {
		refusal := &Refusal{Kind: Denied, Reason: "not allowed by policy"}
		s.denied(ctx, &r, "policy.deny", refusal)
		return refusal
	}
	return nil
}

// Limit counts one request of id on a route that has a limit of its own.
func (s *Service) Limit(id *identity.Identity, route string, r throttle.Rate) error {
	k := throttle.RequestKey{Scope: throttle.PerRoute, Tenant: id.Tenant, ID: route}
	if ok, wait := s.limiter.Allow(s.Now(), k, r); !ok {
		return overLimit("route", wait)
	}
	return nil
}

// limit counts one request against the limits of its credential and tenant.
func (s *Service) limit(id *identity.Identity, now time.Time) *Refusal {
	if !s.PerCredential.Limited() && !s.PerTenant.Limited() {
		return nil
	}
	who := id.Credential
	if who == "" {
		who = id.Principal
	}
	k := throttle.RequestKey{Scope: throttle.PerCredential, Tenant: id.Tenant, ID: who}
	if ok, wait := s.limiter.Allow(now, k, s.PerCredential); !ok {
		return overLimit("credential", wait)
	}
	k = throttle.RequestKey{Scope: throttle.PerTenant, Tenant: id.Tenant}
	if ok, wait := s.limiter.Allow(now, k, s.PerTenant); !ok {
		return overLimit("tenant", wait)
	}
	return nil
}

func overLimit(whose string, wait time.Duration) *Refusal {
	return &Refusal{Kind: Throttled, RetryAfter: max(wait, time.Second), Reason: "request limit of the " + whose}
}
