package authn

import (
	"net/netip"
	"time"

	"gatehouse.dev/internal/throttle"
)

// refusedLogins is how many refused logins one source gets an answer to, where
// [Attempt.Rationed] asks for it.
var refusedLogins = throttle.Rate{N: 60, Per: time.Minute}

// ration counts a refused login against its source, and turns it into "come
// back later" when there were too many.
//
// This is not the throttle: secrets that cannot be guessed need none, and a
// right one is let in whatever came from the same source before. So a program
// with an old secret, behind the same address as others, locks nobody out.
func (s *Service) ration(a *Attempt, r *Refusal) *Refusal {
	if !a.Rationed || a.weak() || r.Kind != Invalid {
		return r
	}
	ok, wait := s.rations.Allow(s.Now(), refusedFrom(a.Tenant.ID, a.Remote), refusedLogins)
	if ok {
		return r
	}
	return &Refusal{Kind: Throttled, RetryAfter: max(wait, time.Second), Reason: "refused logins of the source"}
}

// Unwelcome says how long a source has to wait before its refused logins are
// answered again; 0: it need not. It is for protocols that turn such a source
// away before it can log in.
func (s *Service) Unwelcome(tenant string, remote netip.Addr) time.Duration {
	_, wait := s.rations.Look(s.Now(), refusedFrom(tenant, remote), refusedLogins)
	return wait
}

func refusedFrom(tenant string, remote netip.Addr) throttle.RequestKey {
	return throttle.RequestKey{Scope: throttle.RefusedLogins, Tenant: tenant, ID: sourceOf(remote)}
}
