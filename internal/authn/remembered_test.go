package authn_test

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/tenant"
)

func TestRemembered(t *testing.T) {
	t.Parallel()
	h := build(t)
	_, password := h.user(t, "ann")
	_, pair := h.pair()
	for _, a := range []authn.Attempt{password, pair} {
		if _, err := h.Check(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		reads, hashes := h.store.readings(), h.hasher.count()
		for range 10 {
			if _, err := h.Check(t.Context(), a); err != nil {
				t.Fatal(err)
			}
		}
		if h.store.readings() != reads || h.hasher.count() != hashes {
			t.Errorf("%s: %d reads and %d hashes although remembered", a.Method, h.store.readings()-reads, h.hasher.count()-hashes)
		}
		for _, change := range []func(*authn.Attempt){
			func(a *authn.Attempt) { a.Name += "x" },
			func(a *authn.Attempt) { a.Secret = secret.New("x") },
			func(a *authn.Attempt) { a.Tenant.ID = "ten_other" },
		} {
			b := a
			change(&b)
			if _, err := h.Check(t.Context(), b); kindOf(err) != authn.Invalid {
				t.Errorf("something else passes for what is remembered: %v", err)
			}
		}
	}
}

// A login with a strong secret reads the store anew; one that asks for no more,
// once a second.
func TestLoginReadsAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		_, pair := h.pair()
		for i, want := range []int{1, 1, 0, 1, 0} {
			pair.Recent = i > 1
			reads := h.store.readings()
			if _, err := h.Login(t.Context(), pair); err != nil || h.store.readings() != reads+want {
				t.Errorf("login %d: %v, %d reads, want %d", i, err, h.store.readings()-reads, want)
			}
			if i == 2 {
				time.Sleep(time.Second)
			}
		}
	})
}

// Constraints are looked at every time, remembered or not.
func TestConstraintsWhileRemembered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		rec, a := h.pair()
		rec.Credential.Networks = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")}
		rec.Secrets[0].Expires = time.Now().Add(time.Minute)
		for _, from := range []string{"192.0.2.1", "2001:db8::7", "::ffff:192.0.2.77"} {
			a.Remote = netip.MustParseAddr(from)
			if _, err := h.Check(t.Context(), a); err != nil {
				t.Errorf("from %s: %v", from, err)
			}
		}
		for _, from := range []string{"192.0.3.1", "2001:db9::7"} {
			a.Remote = netip.MustParseAddr(from)
			if _, err := h.Check(t.Context(), a); kindOf(err) != authn.Invalid {
				t.Errorf("from %s: %v, want invalid", from, err)
			}
		}
		a.Remote = home
		time.Sleep(time.Minute)
		if _, err := h.Check(t.Context(), a); kindOf(err) != authn.Invalid {
			t.Errorf("after the secret's end: %v, want invalid", err)
		}
	})
}

// Two who show the same at the same moment, one from where it is refused.
func TestSharedAnswerIsNotSharedConstraint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		rec, inside := h.pair()
		rec.Credential.Networks = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		h.store.slow = func() { time.Sleep(time.Second) }
		outside := inside
		outside.Remote = netip.MustParseAddr("198.51.100.7")
		go h.Check(t.Context(), outside)
		synctest.Wait()
		if _, err := h.Check(t.Context(), inside); err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
}

func TestUnavailable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		_, a := h.pair()
		_, other := h.pair()
		if _, err := h.Check(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		h.store.edit(func() { h.store.down = errors.New("database is down") })
		time.Sleep(20 * time.Second)
		if _, err := h.Check(t.Context(), a); err != nil {
			t.Errorf("remembered, within the lease: %v", err)
		}
		if _, err := h.Login(t.Context(), a); err != nil {
			t.Errorf("login, remembered, within the lease: %v", err)
		}
		if _, err := h.Login(t.Context(), other); kindOf(err) != authn.Unavailable {
			t.Errorf("login, not remembered: %v, want unavailable", err)
		}
		_, err := h.Check(t.Context(), other)
		var r *authn.Refusal
		if !errors.As(err, &r) || r.Kind != authn.Unavailable || r.RetryAfter <= 0 || !r.Temporary() {
			t.Errorf("not remembered: %v, want unavailable with a wait", err)
		}
		time.Sleep(20 * time.Second)
		if _, err := h.Check(t.Context(), a); kindOf(err) != authn.Unavailable {
			t.Errorf("past the lease: %v, want unavailable", err)
		}
		if _, err := h.Login(t.Context(), a); kindOf(err) != authn.Unavailable {
			t.Errorf("login past the lease: %v, want unavailable", err)
		}
		if err := h.Allow(t.Context(), policy.Request{Identity: &identity.Identity{Roles: []string{"reader"}}, Action: "reader"}); kindOf(err) != authn.Unavailable {
			t.Errorf("allow past the lease: %v, want unavailable", err)
		}
		h.store.edit(func() { h.store.down = nil })
		time.Sleep(time.Second)
		if _, err := h.Check(t.Context(), a); err != nil {
			t.Errorf("after recovery: %v", err)
		}
	})
}

func TestMethodSwitchedOff(t *testing.T) {
	t.Parallel()
	h := build(t)
	rec, pair := h.pair()
	jwt := h.token(rec, time.Hour)
	for _, a := range []authn.Attempt{pair, jwt} {
		if _, err := h.Check(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	off := tenant.MethodOff{Method: tenant.Method{Dialect: "gateway", Method: "key_pair"}}
	n := h.store.change(revocation.End, func() { h.store.off = append(h.store.off, off) }, ground(revocation.Method, acme.ID+"/gateway/key_pair"))
	h.tail.Await(t.Context(), n)
	if _, err := h.Check(t.Context(), pair); kindOf(err) != authn.Invalid {
		t.Errorf("switched off: %v, want invalid", err)
	}
	if _, err := h.Check(t.Context(), jwt); err != nil {
		t.Errorf("another method: %v", err)
	}
	h.store.edit(func() { h.store.off = nil })
	if _, err := h.Check(t.Context(), pair); err != nil {
		t.Errorf("switched on again: %v", err)
	}
}
