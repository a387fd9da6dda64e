package authn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/remember"
)

// Check believes one request, or refuses it.
func (s *Service) Check(ctx context.Context, a Attempt) (*identity.Identity, error) {
	b, r := s.admit(ctx, &a, false)
	if r != nil {
		s.refused(ctx, "check", &a, r)
		return nil, r
	}
	return b.identity, nil
}

// Login believes a caller for whom something is opened: a token issued, a
// session begun, a socket accepted. Strong secrets are read from the store
// each time, and the audit record says who came in.
func (s *Service) Login(ctx context.Context, a Attempt) (*identity.Identity, error) {
	b, r := s.admit(ctx, &a, true)
	if r != nil {
		s.refused(ctx, "login", &a, r)
		return nil, s.ration(&a, r)
	}
	if r := s.takeUse(ctx, b); r != nil {
		s.refused(ctx, "login", &a, r)
		return nil, s.ration(&a, r)
	}
	s.loggedIn(ctx, &a, b.identity)
	return b.identity, nil
}

// admit is the order of steps that the package comment names.
func (s *Service) admit(ctx context.Context, a *Attempt, login bool) (*believed, *Refusal) {
	if r := a.check(); r != nil {
		return nil, r
	}
	if r := s.fresh(); r != nil {
		return nil, r
	}
	s.locate(a)
	b, r := s.verify(ctx, a, login)
	if r != nil {
		return nil, r
	}
	now := s.Now()
	if r := s.constrain(ctx, a, b, now); r != nil {
		return nil, r
	}
	if r := s.limit(b.identity, now); r != nil {
		return nil, r
	}
	s.used(b, a.Remote, now)
	return b, nil
}

func (s *Service) fresh() *Refusal {
	if err := s.Log.Fresh(); err != nil {
		return unavailable("the revocation log is not fresh", err)
	}
	return nil
}

// loginAge is how old a belief may be for a login that asks for no more. The log
// makes it as good at any age; that the store is read anew is a second thread.
// When ten thousand dashboards of one key come back at once, it is read once a
// second. What is counted is read each time.
const loginAge = time.Second

func (s *Service) justFound(b *believed) bool {
	return !b.metered && s.Now().Sub(b.found) < loginAge
}

// verify returns what is remembered of a, or finds it out.
func (s *Service) verify(ctx context.Context, a *Attempt, login bool) (*believed, *Refusal) {
	if a.Method == identity.Encryption {
		return s.prove(ctx, *a) // nothing was presented that could be remembered
	}
	k := s.fingerprint(a)
	if b, ok := s.known.Get(k); ok && (!login || b.weak || a.Recent && s.justFound(b)) {
		if b.weak {
			if r := s.look(ctx, a); r != nil {
				return nil, r
			}
		}
		return b, nil
	}
	b, r := s.discover(ctx, k, *a)
	if r != nil && r.Kind == Unavailable && login {
		// The store is away. Within the lease that disturbs nobody who is known: what
		// is believed for a request is believed for a login then.
		if b, ok := s.known.Get(k); ok && s.fresh() == nil {
			return b, nil
		}
	}
	return b, r
}

// discover finds out who a is, together with whoever shows the same now. It
// takes a by value: the finding out may outlive this caller.
func (s *Service) discover(ctx context.Context, k remember.Key, a Attempt) (*believed, *Refusal) {
	for range sharedTries {
		b, shared, err := s.known.Load(ctx, k, func(ctx context.Context) (remember.Belief[*believed], error) { return s.find(ctx, &a) })
		if err == nil {
			// Finding out may have taken longer than the log stayed fresh.
			return b, s.fresh()
		}
		var r *Refusal
		if !errors.As(err, &r) {
			return nil, unavailable("could not find out", err)
		}
		if !shared || !r.mine {
			return nil, r
		}
		// That was about the other caller's network, not about ours.
	}
	return nil, unavailable("could not find out", errCrowd)
}

// sharedTries bounds how often one caller asks again because it was answered
// together with callers from networks that are refused.
const sharedTries = 5

var errCrowd = errors.New("too many others show the same from where it is refused")

// fingerprint covers all that the answer depends on, other than the constraints.
func (s *Service) fingerprint(a *Attempt) remember.Key {
	method, profile := string(a.Method), ""
	if n := len(a.Alternatives); n > 0 {
		method = fmt.Sprint(method, "/", min(n, maxAlternatives))
	}
	if a.Profile != nil {
		profile = a.Profile.Name
	}
	if a.ProofKey != "" {
		method += "/" + a.ProofKey
	}
	return s.prints.Of(a.Secret, a.Tenant.ID, a.Dialect, method, profile, a.Name)
}

// find finds out who a is. Its errors are Refusals.
func (s *Service) find(ctx context.Context, a *Attempt) (remember.Belief[*believed], error) {
	asOf := s.Log.Position() // before anything is read
	b, r := s.findAsOf(ctx, a, asOf)
	if r != nil {
		return remember.Belief[*believed]{}, r
	}
	b.identity.AsOf, b.found = asOf, s.Now()
	return remember.Belief[*believed]{
		Value:   b,
		Grounds: b.identity.Grounds,
		AsOf:    asOf,
		Until:   earliest(b.identity.Expires, b.until),
	}, nil
}
