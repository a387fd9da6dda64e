package authn

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"

	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/remember"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/secret"
)

// findAsOf finds out who a is, from a store that is at least as new as asOf.
func (s *Service) findAsOf(ctx context.Context, a *Attempt, asOf revocation.Position) (*believed, *Refusal) {
	if r := s.switchedOn(ctx, a, asOf); r != nil {
		return nil, r
	}
	switch a.Method {
	case identity.JWT, identity.Opaque:
		return s.findToken(ctx, a)
	case identity.Password, identity.KeyPair, identity.APIKey, identity.ScopedToken:
		return s.findSecret(ctx, a)
	}
	return nil, &Refusal{Kind: Malformed, Reason: "unknown method"}
}

// switchedOn refuses methods that an administrator has switched off. That one
// is on is remembered; the ground of the method ends it.
func (s *Service) switchedOn(ctx context.Context, a *Attempt, asOf revocation.Position) *Refusal {
	g := methodGround(a.Tenant.ID, a.Dialect, a.Method)
	k := s.prints.Of(noSecret, g.ID, "", "", "", "")
	on, ok := s.methods.Get(k)
	if !ok {
		var err error
		on, _, err = s.methods.Load(ctx, k, func(ctx context.Context) (b remember.Belief[bool], err error) {
			off, err := s.Store.MethodsOff(ctx, a.Tenant.ID)
			if err != nil {
				return b, fmt.Errorf("read methods: %w", err)
			}
			b = remember.Belief[bool]{Value: true, AsOf: asOf, Grounds: []revocation.Ground{g}}
			for _, m := range off {
				if m.Dialect == a.Dialect && m.Method.Method == string(a.Method) {
					b.Value, b.Once = false, true
				}
			}
			return b, nil
		})
		if err != nil {
			return unavailable("could not find out", err)
		}
	}
	if !on {
		return invalid("method switched off")
	}
	return nil
}

// findSecret tries the readings of a in turn. Each costs the same whether its
// name exists or not.
func (s *Service) findSecret(ctx context.Context, a *Attempt) (*believed, *Refusal) {
	gate := &turnstile{s: s, a: a}
	if a.weak() {
		if r := gate.enter(ctx); r != nil {
			return nil, r
		}
	}
	var refusal *Refusal
	for i, p := range a.readings() {
		b, r := s.tryReading(ctx, a, p, gate)
		switch {
		case r == nil:
			gate.succeeded()
			return b, nil
		case r.Kind != Invalid:
			gate.dropped()
			return nil, r
		case i == 0 || refusal.target == "":
			refusal = r
		}
	}
	gate.failed()
	return nil, refusal
}

// tryReading looks up one reading and compares its secret.
func (s *Service) tryReading(ctx context.Context, a *Attempt, p Pair, gate *turnstile) (*believed, *Refusal) {
	rec, err := s.record(ctx, a, p)
	switch {
	case errors.Is(err, credential.ErrNotFound):
		rec = credential.Record{} // compared with nothing, at the same cost
	case err != nil:
		return nil, unavailable("credentials cannot be read", err)
	}
	m, r := s.match(ctx, a, &rec, p, gate)
	if r != nil {
		return nil, r
	}
	no := func(reason string) *Refusal {
		return about(invalid(reason), rec.Credential.ID, rec.Principal.ID)
	}
	if rec.Credential.ID == "" {
		return nil, no("unknown")
	}
	if m.secret == nil {
		return nil, no("wrong secret")
	}
	if why := locked(a, &rec); why != "" {
		return nil, no(why)
	}
	if !m.secret.Revoked.IsZero() {
		return nil, no("secret revoked")
	}
	b := believe(a, &rec, m.secret, m.weak)
	if why := b.allows(a.bearing(), s.Now()); why != "" {
		r := no(why)
		r.mine = true
		return nil, r
	}
	s.upgrade(ctx, a, &rec, m, p.Secret)
	return b, nil
}

func (s *Service) record(ctx context.Context, a *Attempt, p Pair) (credential.Record, error) {
	switch a.Method {
	case identity.Password:
		return s.Store.RecordByLookup(ctx, a.Tenant.ID, credential.Password, p.Name)
	case identity.KeyPair:
		return s.Store.RecordByLookup(ctx, a.Tenant.ID, credential.KeyPair, p.Name)
	case identity.ScopedToken:
		if !secret.WellFormed(credential.TokenPrefix, p.Secret) {
			return credential.Record{}, credential.ErrNotFound
		}
		return s.Store.RecordByDigest(ctx, a.Tenant.ID, credential.ScopedToken, s.Digests.Candidates(p.Secret))
	default:
		if ours := strings.HasPrefix(p.Secret.Reveal(), credential.KeyPrefix); ours && !secret.WellFormed(credential.KeyPrefix, p.Secret) {
			return credential.Record{}, credential.ErrNotFound // garbage costs no look-up
		}
		digests := append(s.Digests.Candidates(p.Secret), credential.PlainDigest(p.Secret))
		return s.Store.RecordByDigest(ctx, a.Tenant.ID, credential.APIKey, digests)
	}
}

// matched is the secret of a record that was shown, if any.
type matched struct {
	secret *credential.Secret
	weak   bool
}

// match compares what was shown with each secret of rec. Secrets that may not
// be used any more are compared too where that is cheap: their owner's refusal
// is then recorded for what it is.
func (s *Service) match(ctx context.Context, a *Attempt, rec *credential.Record, p Pair, gate *turnstile) (matched, *Refusal) {
	var found *credential.Secret
	if len(rec.Secrets) == 0 {
		s.Digests.Match(nil, p.Secret)
	}
	for i := range rec.Secrets {
		sec := &rec.Secrets[i]
		if s.strongMatch(a, sec, p) && (found == nil || sec.Live(s.Now())) {
			found = sec
		}
	}
	if found != nil {
		return matched{secret: found, weak: a.weak()}, nil
	}
	return s.slowMatch(ctx, a, rec, p, gate)
}

func (s *Service) strongMatch(a *Attempt, sec *credential.Secret, p Pair) bool {
	if sec.Scheme == credential.Digest {
		return s.Digests.Match(sec.Hash, p.Secret)
	}
	return a.Method == identity.APIKey && subtle.ConstantTimeCompare(sec.Hash, credential.PlainDigest(p.Secret)) == 1
}

// slowMatch compares with the secrets that have a slow hash, or does as much
// work where a caller must not notice that there is none.
func (s *Service) slowMatch(ctx context.Context, a *Attempt, rec *credential.Record, p Pair, gate *turnstile) (matched, *Refusal) {
	if a.Method == identity.APIKey || a.Method == identity.ScopedToken {
		return matched{}, nil
	}
	source, compared := sourceOf(a.Remote), false
	for i := range rec.Secrets {
		sec := &rec.Secrets[i]
		if sec.Scheme != credential.Hashed || !sec.Live(s.Now()) {
			continue
		}
		if a.Method == identity.KeyPair {
			s.slowPairs.Store(true)
		}
		if r := gate.enter(ctx); r != nil {
			return matched{}, r
		}
		ok, err := s.Passwords.Verify(ctx, source, string(sec.Hash), p.Secret)
		switch {
		case ok:
			return matched{secret: sec, weak: true}, nil
		case errors.Is(err, errUnreadable):
			s.Logger.Error("a stored hash cannot be read", "secret", sec.ID)
		case err != nil:
			return matched{}, unavailable("passwords cannot be checked", err)
		}
		compared = true
	}
	if compared || !a.weak() && !s.slowPairs.Load() {
		return matched{}, nil
	}
	if r := gate.enter(ctx); r != nil {
		return matched{}, r
	}
	return matched{}, s.spend(ctx, a, nil)
}
