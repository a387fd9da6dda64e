package authn_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/token"
)

func TestTokens(t *testing.T) {
	t.Parallel()

	t.Run("RestsOnItsSecret", func(t *testing.T) {
		t.Parallel()
		h := build(t)
		rec, _ := h.pair()
		a := h.token(rec, time.Hour)
		if _, err := h.Check(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		n := h.store.change(revocation.End, func() { rec.Secrets[0].Revoked = time.Now() }, ground(revocation.Secret, rec.Secrets[0].ID))
		h.tail.Await(t.Context(), n)
		if _, err := h.Check(t.Context(), a); kindOf(err) != authn.Invalid {
			t.Errorf("%v, want invalid", err)
		}
	})

	t.Run("EndedWithAllEarlierOnes", func(t *testing.T) {
		t.Parallel()
		h := build(t)
		rec, _ := h.pair()
		old := h.token(rec, time.Hour)
		if _, err := h.Check(t.Context(), old); err != nil {
			t.Fatal(err)
		}
		n := h.store.change(revocation.End, func() { rec.Principal.NotBefore = time.Now() }, ground(revocation.TokensOf, rec.Principal.ID))
		h.tail.Await(t.Context(), n)
		if _, err := h.Check(t.Context(), old); kindOf(err) != authn.Invalid {
			t.Errorf("an earlier token: %v, want invalid", err)
		}
		if _, err := h.Check(t.Context(), h.token(rec, time.Hour)); err != nil {
			t.Errorf("a later token: %v", err)
		}
	})

	t.Run("EndsAtExp", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			h := build(t)
			rec, _ := h.pair()
			a := h.token(rec, time.Minute)
			if i, err := h.Check(t.Context(), a); err != nil || !i.Expires.Equal(time.Now().Add(time.Minute)) {
				t.Fatalf("%+v, %v", i, err)
			}
			time.Sleep(59 * time.Second)
			if _, err := h.Check(t.Context(), a); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Second)
			if _, err := h.Check(t.Context(), a); kindOf(err) != authn.Expired {
				t.Errorf("%v, want expired", err)
			}
		})
	})

	t.Run("OwnerWithoutCredential", func(t *testing.T) {
		t.Parallel()
		h := build(t)
		rec, _ := h.pair()
		a := h.token(rec, time.Hour)
		v := h.jwts.known[a.Secret.Reveal()]
		v.Subject = token.Subject{Tenant: acme.ID, Principal: rec.Principal.ID, Scopes: []string{}, Issued: v.Issued, Expires: v.Expires}
		h.jwts.known[a.Secret.Reveal()] = v
		i, err := h.Check(t.Context(), a)
		if err != nil || i.Principal != rec.Principal.ID || i.Scopes == nil || i.Credential != "" {
			t.Fatalf("%+v, %v", i, err)
		}
		n := h.store.change(revocation.End, func() { rec.Principal.Enabled = false }, ground(revocation.Principal, rec.Principal.ID))
		h.tail.Await(t.Context(), n)
		if _, err := h.Check(t.Context(), a); kindOf(err) != authn.Invalid {
			t.Errorf("%v, want invalid", err)
		}
	})

	t.Run("OwnerInDisabledTenant", func(t *testing.T) {
		t.Parallel()
		h := build(t)
		rec, _ := h.pair()
		a := h.token(rec, time.Hour)
		v := h.jwts.known[a.Secret.Reveal()]
		v.Subject = token.Subject{Tenant: acme.ID, Principal: rec.Principal.ID, Issued: v.Issued, Expires: v.Expires}
		h.jwts.known[a.Secret.Reveal()] = v
		i, err := h.Check(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		n := h.store.change(revocation.End, func() { rec.TenantEnabled = false }, ground(revocation.Tenant, acme.ID))
		h.tail.Await(t.Context(), n)
		// The attempt's tenant is as it was read before.
		if _, err := h.Check(t.Context(), a); kindOf(err) != authn.Invalid {
			t.Errorf("check: %v, want invalid", err)
		}
		if _, err := h.Renew(t.Context(), i, home); kindOf(err) != authn.Invalid {
			t.Errorf("renew: %v, want invalid", err)
		}
	})

	t.Run("NeedsItsProof", func(t *testing.T) {
		t.Parallel()
		h := build(t)
		rec, _ := h.pair()
		a := h.token(rec, time.Hour)
		v := h.jwts.known[a.Secret.Reveal()]
		v.ProofKey = "thumbprint"
		h.jwts.known[a.Secret.Reveal()] = v
		if _, err := h.Check(t.Context(), a); kindOf(err) != authn.Invalid {
			t.Errorf("without a proof: %v, want invalid", err)
		}
		a.ProofKey = "another"
		if _, err := h.Check(t.Context(), a); kindOf(err) != authn.Invalid {
			t.Errorf("with another key's: %v, want invalid", err)
		}
		a.ProofKey = "thumbprint"
		if _, err := h.Check(t.Context(), a); err != nil {
			t.Errorf("with its own: %v", err)
		}
		// That it is remembered now is of no use without the proof.
		a.ProofKey = ""
		if _, err := h.Check(t.Context(), a); kindOf(err) != authn.Invalid {
			t.Errorf("remembered: %v, want invalid", err)
		}
		unbound := h.token(rec, time.Hour)
		unbound.ProofKey = "thumbprint"
		if _, err := h.Check(t.Context(), unbound); kindOf(err) != authn.Invalid {
			t.Errorf("a token that is not bound, with a proof: %v, want invalid", err)
		}
	})

	t.Run("NotDecided", func(t *testing.T) {
		t.Parallel()
		h := build(t)
		rec, _ := h.pair()
		h.jwts.err = errors.New("keys cannot be read")
		if _, err := h.Check(t.Context(), h.token(rec, time.Hour)); kindOf(err) != authn.Unavailable {
			t.Errorf("%v, want unavailable", err)
		}
	})
}
