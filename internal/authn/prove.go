package authn

import (
	"context"
	"crypto/rand"
	"errors"

	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/throttle"
)

// Begin is the first half of a login by encrypting: it returns the salt of
// a.Name, by the same rule for names that nobody has, and reads no credential.
// The second half is [Service.Login] with a Prove.
func (s *Service) Begin(ctx context.Context, a Attempt) (salt [16]byte, err error) {
	r := s.mayBegin(ctx, &a)
	if r != nil {
		s.refused(ctx, "login", &a, r)
		return salt, r
	}
	return s.Vault.Salt(a.Tenant.ID, a.Name), nil
}

func (s *Service) mayBegin(ctx context.Context, a *Attempt) *Refusal {
	if r := a.check(); r != nil {
		return r
	}
	if a.Method != identity.Encryption || s.Vault == nil {
		return invalid("no encrypted sessions")
	}
	if r := s.fresh(); r != nil {
		return r
	}
	if r := s.switchedOn(ctx, a, s.Log.Position()); r != nil {
		return r
	}
	if v := s.Throttle.Look(s.Now(), throttleKey(a)); v.Kind == throttle.Later {
		return &Refusal{Kind: Throttled, RetryAfter: v.RetryAfter, Reason: "source throttled"}
	}
	return nil
}

// prove finds whoever can have made what arrived. It is never remembered:
// nothing was presented by which it could be recognised. It takes a by value, so
// that the attempts of all other methods stay off the heap.
func (s *Service) prove(ctx context.Context, attempt Attempt) (*believed, *Refusal) {
	a := &attempt
	if a.Prove == nil || s.Vault == nil {
		return nil, invalid("no encrypted sessions")
	}
	asOf := s.Log.Position() // before anything is read
	if r := s.switchedOn(ctx, a, asOf); r != nil {
		return nil, r
	}
	turn, v := s.Throttle.Ask(s.Now(), throttleKey(a))
	if v.Kind == throttle.Later {
		return nil, &Refusal{Kind: Throttled, RetryAfter: v.RetryAfter, Reason: "source throttled"}
	}
	b, r := s.tryKeys(ctx, a)
	if v.Kind != throttle.OK {
		// It has cost what it would have, and nothing comes of it.
		return nil, about(invalid("identity throttled"), "", "")
	}
	switch {
	case r == nil:
		turn.Succeeded(s.Now())
		b.identity.AsOf = asOf
		return b, s.fresh() // it may have taken longer than the log stayed fresh
	case r.Kind == Invalid:
		turn.Failed(s.Now())
	default:
		turn.Dropped(s.Now())
	}
	return nil, r
}

// tryKeys reads the name's record and proves with each of its keys.
func (s *Service) tryKeys(ctx context.Context, a *Attempt) (*believed, *Refusal) {
	rec, err := s.Store.RecordByLookup(ctx, a.Tenant.ID, credential.Encryption, a.Name)
	if err != nil && !errors.Is(err, credential.ErrNotFound) {
		return nil, unavailable("credentials cannot be read", err)
	}
	sec, r := s.keyOf(ctx, a, &rec)
	if r != nil {
		return nil, r
	}
	no := func(reason string) *Refusal {
		return about(invalid(reason), rec.Credential.ID, rec.Principal.ID)
	}
	switch {
	case rec.Credential.ID == "":
		return nil, no("unknown")
	case sec == nil:
		return nil, no("wrong secret")
	}
	if why := locked(a, &rec); why != "" {
		return nil, no(why)
	}
	b := believe(a, &rec, sec, false)
	if why := b.allows(a.bearing(), s.Now()); why != "" {
		return nil, no(why)
	}
	return b, nil
}

// keyOf is the living secret whose key proves it; nil when none does. Whoever
// is refused has been tried with as many keys as anybody may have.
func (s *Service) keyOf(ctx context.Context, a *Attempt, rec *credential.Record) (found *credential.Secret, _ *Refusal) {
	tried := 0
	for i := range rec.Secrets {
		sec := &rec.Secrets[i]
		if sec.Scheme != credential.Sealed || !sec.Live(s.Now()) || tried == credential.MaxSecrets {
			continue
		}
		key, err := s.Vault.Open(ctx, a.Tenant.ID, sec.ID, sec.Hash)
		if err != nil {
			return nil, unavailable("an encryption key cannot be opened", err)
		}
		tried++
		if a.Prove(key) && found == nil {
			found = sec
		}
		key.Wipe()
	}
	for ; tried < credential.MaxSecrets && found == nil; tried++ {
		nobody := secret.NewKey(make([]byte, 32))
		rand.Read(nobody.Bytes())
		a.Prove(nobody)
	}
	return found, nil
}
