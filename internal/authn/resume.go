package authn

import (
	"context"
	"errors"
	"net/netip"

	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/tenant"
)

// Refused records that something was not opened because of what was shown, such
// as a ticket, where that was found out elsewhere. It returns what to answer: why,
// or that the source has to wait.
func (s *Service) Refused(ctx context.Context, a Attempt, why *Refusal) *Refusal {
	s.refused(ctx, "login", &a, why)
	return s.ration(&a, why)
}

// Resume opens something for an identity that was believed before and handed
// on, such as by a ticket: it is believed anew, without what was presented, and
// the audit record says who came in.
func (s *Service) Resume(ctx context.Context, id *identity.Identity, remote netip.Addr, requestID string) (*identity.Identity, error) {
	a := &Attempt{
		Tenant:  tenant.Tenant{ID: id.Tenant, Number: id.TenantNumber, Name: id.TenantName},
		Dialect: id.Dialect, Method: id.Method, Remote: remote, RequestID: requestID,
	}
	now, err := s.Renew(ctx, id, remote)
	var r *Refusal
	if err == nil {
		if r = s.limit(now, s.Now()); r == nil {
			s.loggedIn(ctx, a, now)
			return now, nil
		}
	} else if !errors.As(err, &r) {
		r = unavailable("could not find out", err)
	}
	s.refused(ctx, "login", a, r)
	return nil, r
}
