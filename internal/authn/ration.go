package authn

import (
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
	k := throttle.RequestKey{Scope: throttle.RefusedLogins, Tenant: a.Tenant.ID, ID: sourceOf(a.Remote)}
	ok, wait := s.rations.Allow(s.Now(), k, refusedLogins)
	if ok {
		return r
	}
	return &Refusal{Kind: Throttled, RetryAfter: max(wait, time.Second), Reason: "refused logins of the source"}
}
