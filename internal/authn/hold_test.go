package authn_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/live"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/revocation"
)

func sha256Hex(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// socket is what a dialect holds: it closes when it is ended, and asks again
// with what Renew and policy say.
func socket(h *house, i *identity.Identity, ended chan<- live.Cause) live.Conn {
	return live.Conn{
		Kind: live.WebSocket,
		End:  func(c live.Cause) { ended <- c },
		Recheck: func(ctx context.Context) (*identity.Identity, error) {
			now, err := h.Renew(ctx, i, home)
			if err != nil {
				return nil, err
			}
			return now, h.Allow(ctx, policy.Request{Identity: now, Action: "reader"})
		},
	}
}

func TestHold(t *testing.T) {
	t.Parallel()

	t.Run("RevokedBetweenCheckAndHold", func(t *testing.T) {
		t.Parallel()
		h := build(t)
		rec, a := h.pair()
		i, err := h.Check(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		n := h.store.change(revocation.End, func() { rec.Credential.Revoked = time.Now() }, ground(revocation.Credential, rec.Credential.ID))
		h.tail.Await(t.Context(), n)
		for _, recheck := range []bool{true, false} {
			c := socket(h, i, make(chan live.Cause, 1))
			if !recheck {
				c.Recheck = nil
			}
			if _, err := h.Hold(t.Context(), i, c); kindOf(err) != authn.Invalid {
				t.Errorf("%v, want invalid", err)
			}
		}
		if h.live.Len() != 0 {
			t.Error("left in the index")
		}
	})

	t.Run("SomethingElseChangedMeanwhile", func(t *testing.T) {
		t.Parallel()
		h := build(t)
		rec, a := h.pair()
		i, _ := h.Check(t.Context(), a)
		n := h.store.change(revocation.Recheck, func() { rec.Principal.Roles = []string{"reader", "writer"} }, ground(revocation.Principal, rec.Principal.ID))
		h.tail.Await(t.Context(), n)
		handle, err := h.Hold(t.Context(), i, socket(h, i, make(chan live.Cause, 1)))
		if err != nil || !slices.Contains(handle.Identity().Roles, "writer") {
			t.Fatalf("%v, want to be held as who it is now", err)
		}
	})

	t.Run("NotFresh", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			h := build(t)
			_, a := h.pair()
			i, _ := h.Check(t.Context(), a)
			h.store.edit(func() { h.store.down = context.DeadlineExceeded })
			time.Sleep(31 * time.Second)
			if _, err := h.Hold(t.Context(), i, socket(h, i, make(chan live.Cause, 1))); kindOf(err) != authn.Unavailable || h.live.Len() != 0 {
				t.Errorf("%v, want unavailable", err)
			}
		})
	})
}

// A conn is asked again when something about its owner changes, and ends only
// when that matters to it.
func TestRenew(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(h *house, r *credential.Record) (revocation.Effect, revocation.Ground)
		ends   bool
	}{
		"role that it needs": {func(_ *house, r *credential.Record) (revocation.Effect, revocation.Ground) {
			r.Principal.Roles = []string{"writer"}
			return revocation.Recheck, ground(revocation.Role, r.Principal.ID+"/reader")
		}, true},
		"role that it does not need": {func(_ *house, r *credential.Record) (revocation.Effect, revocation.Ground) {
			r.Principal.Roles = []string{"reader"}
			return revocation.Recheck, ground(revocation.Role, r.Principal.ID+"/writer")
		}, false},
		"networks without it": {func(_ *house, r *credential.Record) (revocation.Effect, revocation.Ground) {
			r.Credential.Networks = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
			return revocation.Recheck, ground(revocation.Credential, r.Credential.ID)
		}, true},
		"networks with it": {func(_ *house, r *credential.Record) (revocation.Effect, revocation.Ground) {
			r.Credential.Networks = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
			return revocation.Recheck, ground(revocation.Credential, r.Credential.ID)
		}, false},
		"policy": {func(_ *house, r *credential.Record) (revocation.Effect, revocation.Ground) {
			return revocation.Recheck, ground(revocation.Policy, acme.ID)
		}, false},
		"its token": {func(h *house, r *credential.Record) (revocation.Effect, revocation.Ground) {
			return revocation.End, ground(revocation.TokensOf, r.Principal.ID)
		}, true},
		"method for others": {func(h *house, r *credential.Record) (revocation.Effect, revocation.Ground) {
			return revocation.End, ground(revocation.Method, acme.ID+"/gateway/password")
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := build(t)
			rec, _ := h.pair()
			rec.Principal.Roles = []string{"reader", "writer"}
			i, err := h.Check(t.Context(), h.token(rec, time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan live.Cause, 1)
			handle, err := h.Hold(t.Context(), i, socket(h, i, ended))
			if err != nil {
				t.Fatal(err)
			}
			go func() { <-ended; handle.Close() }()
			var effect revocation.Effect
			var g revocation.Ground
			h.store.edit(func() { effect, g = c.change(h, rec) })
			out := h.tail.Await(t.Context(), h.store.change(effect, func() {}, g))
			closed := 0
			for _, r := range out.Nodes {
				closed += r.SocketsClosed
			}
			if (closed == 1) != c.ends || len(out.Unreached) != 0 {
				t.Errorf("%d closed, %v unreached, want it to end: %v", closed, out.Unreached, c.ends)
			}
			if err := handle.Pass(t.Context()); (err != nil) != c.ends {
				t.Errorf("pass: %v", err)
			}
		})
	}
}

// The end of a secret, set while a conn rests on it, ends the conn in time.
func TestRotationEndsConns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		rec, a := h.pair()
		i, err := h.Check(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan live.Cause, 1)
		handle, err := h.Hold(t.Context(), i, socket(h, i, ended))
		if err != nil {
			t.Fatal(err)
		}
		defer handle.Close()
		until := time.Now().Add(time.Hour)
		n := h.store.change(revocation.Recheck, func() { rec.Secrets[0].Expires = until }, ground(revocation.Secret, rec.Secrets[0].ID))
		h.tail.Await(t.Context(), n)
		time.Sleep(time.Hour)
		if _, err := h.Check(t.Context(), a); kindOf(err) != authn.Invalid {
			t.Errorf("after the old secret's end: %v, want invalid", err)
		}
		select {
		case c := <-ended:
			t.Errorf("ended before the leeway: %v", c)
		default:
		}
		time.Sleep(31 * time.Second)
		select {
		case c := <-ended:
			if c.Code != live.Expired {
				t.Errorf("cause %v, want expired", c.Code)
			}
		default:
			t.Error("lives on after its secret's end")
		}
	})
}
