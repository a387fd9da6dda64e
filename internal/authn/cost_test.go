package authn_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/throttle"
)

// Each refusal of a password computes exactly one hash, whatever was wrong.
func TestEqualCost(t *testing.T) {
	t.Parallel()
	other := netip.MustParseAddr("198.51.100.7")
	inside := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	for name, change := range map[string]func(*house, *credential.Record, *authn.Attempt){
		"unknown":        func(_ *house, _ *credential.Record, a *authn.Attempt) { a.Name = "nobody" },
		"wrong":          func(_ *house, _ *credential.Record, a *authn.Attempt) { a.Secret = secret.New("wrong") },
		"disabled":       func(_ *house, r *credential.Record, _ *authn.Attempt) { r.Credential.Enabled = false },
		"no secrets":     func(_ *house, r *credential.Record, _ *authn.Attempt) { r.Secrets = nil },
		"secret expired": func(_ *house, r *credential.Record, _ *authn.Attempt) { r.Secrets[0].Expires = time.Now() },
		"other network": func(_ *house, r *credential.Record, a *authn.Attempt) {
			r.Credential.Networks = inside
			a.Remote = other
		},
		"credential expired": func(_ *house, r *credential.Record, _ *authn.Attempt) { r.Credential.Expires = time.Now() },
		"remembered, other network": func(h *house, r *credential.Record, a *authn.Attempt) {
			r.Credential.Networks = inside
			if _, err := h.Check(t.Context(), *a); err != nil {
				t.Error(err)
			}
			a.Remote = other
		},
		"identity throttled": func(h *house, _ *credential.Record, a *authn.Attempt) {
			wrong := *a
			wrong.Secret = secret.New("wrong")
			for range 10 {
				h.Check(t.Context(), wrong)
			}
		},
		"remembered, identity throttled": func(h *house, _ *credential.Record, a *authn.Attempt) {
			if _, err := h.Check(t.Context(), *a); err != nil {
				t.Error(err)
			}
			wrong := *a
			wrong.Secret = secret.New("wrong")
			for range 10 {
				h.Check(t.Context(), wrong)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := build(t)
			rec, a := h.user(t, "ann")
			change(h, rec, &a)
			before := h.hasher.count()
			if _, err := h.Check(t.Context(), a); kindOf(err) != authn.Invalid {
				t.Fatalf("%v, want invalid", err)
			}
			if n := h.hasher.count() - before; n != 1 {
				t.Errorf("%d hashes computed, want 1", n)
			}
		})
	}
}

// Once a slow hash of a key pair has been met, an unknown key costs one too.
func TestEqualCostOfImportedPairs(t *testing.T) {
	t.Parallel()
	h := build(t)
	unknown := authn.Attempt{Tenant: acme, Method: identity.KeyPair, Name: "nobody", Secret: secret.New("x"), Remote: home}
	h.Check(t.Context(), unknown)
	if n := h.hasher.count(); n != 0 {
		t.Errorf("%d hashes computed for an unknown key where all are strong", n)
	}
	hash, err := h.hasher.Hash(t.Context(), "", secret.New("imported"))
	if err != nil {
		t.Fatal(err)
	}
	h.add(credential.KeyPair, "old", credential.Hashed, []byte(hash))
	for _, name := range []string{"old", "nobody"} {
		before := h.hasher.count()
		unknown.Name = name
		if _, err := h.Check(t.Context(), unknown); kindOf(err) != authn.Invalid {
			t.Fatalf("%v, want invalid", err)
		}
		if n := h.hasher.count() - before; n != 1 {
			t.Errorf("%s: %d hashes computed, want 1", name, n)
		}
	}
}

func TestThrottle(t *testing.T) {
	t.Parallel()

	t.Run("IdentityLooksWrongThenSourceIsTold", func(t *testing.T) {
		t.Parallel()
		h := build(t)
		_, right := h.user(t, "ann")
		wrong := right
		for i := range 60 {
			wrong.Secret = secret.New(fmt.Sprint("guess ", i))
			if _, err := h.Login(t.Context(), wrong); kindOf(err) != authn.Invalid {
				t.Fatalf("guess %d: %v, want invalid", i, err)
			}
		}
		_, err := h.Login(t.Context(), wrong)
		var r *authn.Refusal
		if !errors.As(err, &r) || r.Kind != authn.Throttled || r.RetryAfter <= 0 {
			t.Errorf("%v, want throttled with a wait", err)
		}
	})

	t.Run("RightOneIsRefusedTooWhilePaused", func(t *testing.T) {
		t.Parallel()
		h := build(t)
		_, right := h.user(t, "ann")
		if _, err := h.Check(t.Context(), right); err != nil {
			t.Fatal(err)
		}
		wrong := right
		for i := range 10 {
			wrong.Secret = secret.New(fmt.Sprint("guess ", i))
			h.Check(t.Context(), wrong)
		}
		if _, err := h.Check(t.Context(), right); kindOf(err) != authn.Invalid {
			t.Errorf("remembered and right, but paused: %v, want invalid", err)
		}
		right.Remote = netip.MustParseAddr("203.0.113.5")
		if _, err := h.Check(t.Context(), right); err != nil {
			t.Errorf("from elsewhere: %v", err)
		}
	})

	t.Run("ConstraintsAreNoOracle", func(t *testing.T) {
		t.Parallel()
		h := build(t)
		rec, right := h.user(t, "ann")
		rec.Credential.Networks = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
		for range 10 {
			h.Check(t.Context(), right)
		}
		h.Check(t.Context(), right)
		if e := h.diary.last(); e.Reason != "identity throttled" {
			t.Errorf("the right password from a wrong network is refused as %q, want to be throttled like a wrong one", e.Reason)
		}
	})

	t.Run("StrongSecretsAreNotCounted", func(t *testing.T) {
		t.Parallel()
		h := build(t)
		_, right := h.pair()
		wrong := right
		wrong.Secret = secret.New("wrong")
		for range 200 {
			h.Check(t.Context(), wrong)
		}
		if _, err := h.Check(t.Context(), right); err != nil {
			t.Error(err)
		}
	})

	t.Run("AlternativesAreOneFailure", func(t *testing.T) {
		t.Parallel()
		h := build(t)
		_, right := h.user(t, "ann")
		wrong := right
		wrong.Alternatives = []authn.Pair{{Name: "ann", Secret: secret.New("b")}, {Name: "bob", Secret: secret.New("c")}}
		for i := range 9 {
			wrong.Secret = secret.New(fmt.Sprint("guess ", i))
			h.Check(t.Context(), wrong)
		}
		if _, err := h.Check(t.Context(), right); err != nil {
			t.Errorf("after nine attempts of three readings each: %v", err)
		}
	})
}

// Where a protocol promises 429, refused logins of one source get it in the
// end, while right ones are let in all the same.
func TestRation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		_, right := h.pair()
		right.Rationed = true
		wrong := right
		wrong.Secret = secret.New("wrong")
		for i := range 60 {
			if _, err := h.Login(t.Context(), wrong); kindOf(err) != authn.Invalid {
				t.Fatalf("refused login %d: %v, want invalid", i, err)
			}
		}
		if wait := h.Unwelcome(acme.ID, wrong.Remote); wait <= 0 || wait > time.Minute {
			t.Errorf("a source that used its ration up has to wait %v", wait)
		}
		if wait := h.Unwelcome(acme.ID, netip.MustParseAddr("2001:db8::1")); wait != 0 {
			t.Errorf("another source has to wait %v", wait)
		}
		_, err := h.Login(t.Context(), wrong)
		var r *authn.Refusal
		if !errors.As(err, &r) || r.Kind != authn.Throttled || r.RetryAfter < time.Second {
			t.Errorf("one too many: %v, want throttled with a wait", err)
		}
		if _, err := h.Login(t.Context(), right); err != nil {
			t.Errorf("the right secret: %v", err)
		}
		wrong.Remote = netip.MustParseAddr("2001:db8::1")
		if _, err := h.Login(t.Context(), wrong); kindOf(err) != authn.Invalid {
			t.Errorf("another source: %v, want invalid", err)
		}
	})
}

func TestRequestLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := build(t, func(o *authn.Options) {
			o.PerCredential = throttle.Rate{N: 2, Per: time.Minute}
			o.PerTenant = throttle.Rate{N: 3, Per: time.Minute}
		})
		_, a := h.pair()
		_, b := h.pair()
		var got []authn.Kind
		for _, x := range []authn.Attempt{a, a, a, b, b} {
			_, err := h.Check(t.Context(), x)
			got = append(got, kindOf(err))
		}
		if d := cmp.Diff([]authn.Kind{0, 0, authn.Throttled, 0, authn.Throttled}, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		time.Sleep(time.Minute)
		if _, err := h.Check(t.Context(), a); err != nil {
			t.Error(err)
		}
		i, _ := h.Check(t.Context(), b)
		if err := h.Limit(i, "r", throttle.Rate{N: 1, Per: time.Minute}); err != nil {
			t.Error(err)
		}
		if err := h.Limit(i, "r", throttle.Rate{N: 1, Per: time.Minute}); kindOf(err) != authn.Throttled {
			t.Errorf("route over its limit: %v, want throttled", err)
		}
	})
}
