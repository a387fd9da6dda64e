package authn_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/tenant"
	"gatehouse.dev/internal/throttle"
	"gatehouse.dev/internal/token"
)

func TestEveryMethodComesIn(t *testing.T) {
	t.Parallel()
	h := build(t)
	user, password := h.user(t, "ann")
	pair, shown := h.pair()
	apiKey, key := h.apiKey()
	for name, c := range map[string]struct {
		rec *credential.Record
		a   authn.Attempt
	}{
		"password": {user, password},
		"key pair": {pair, shown},
		"api key":  {apiKey, key},
		"jwt":      {pair, h.token(pair, time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 3 {
				for _, f := range []func(context.Context, authn.Attempt) (*identity.Identity, error){h.Check, h.Login} {
					i, err := f(t.Context(), c.a)
					if err != nil {
						t.Fatal(err)
					}
					if i.Credential != c.rec.Credential.ID || i.Principal != c.rec.Principal.ID || i.Secret != c.rec.Secrets[0].ID || i.Method != c.a.Method || i.Tenant != acme.ID {
						t.Fatalf("identity %+v", i)
					}
				}
			}
		})
	}
}

func TestGrounds(t *testing.T) {
	t.Parallel()
	h := build(t)
	rec, _ := h.pair()
	i, err := h.Check(t.Context(), h.token(rec, time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	p := rec.Principal.ID
	want := []revocation.Ground{
		ground(revocation.Tenant, acme.ID),
		ground(revocation.Principal, p),
		ground(revocation.Policy, acme.ID),
		ground(revocation.Method, acme.ID+"/ayyeka/jwt"),
		ground(revocation.Role, p+"/reader"),
		ground(revocation.Credential, rec.Credential.ID),
		ground(revocation.Secret, rec.Secrets[0].ID),
		ground(revocation.TokensOf, p),
		{Kind: revocation.Token, ID: i.Grounds[len(i.Grounds)-2].ID},
		ground(revocation.SigningKey, "key_1"),
	}
	if d := cmp.Diff(want, i.Grounds); d != "" {
		t.Errorf("grounds (-want +got):\n%s", d)
	}
	// Whichever of them goes, what is remembered is not believed any more, and
	// the store is asked again. (Here only the log says so; the store lets it in.)
	for k := range want {
		a := h.token(rec, time.Hour)
		i, err := h.Check(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		h.tail.Await(t.Context(), h.store.change(revocation.End, func() {}, i.Grounds[k]))
		before := h.store.readings()
		if _, err := h.Check(t.Context(), a); err != nil || h.store.readings() != before+1 {
			t.Errorf("%v went: %v after %d reads, want to be read again", i.Grounds[k], err, h.store.readings()-before)
		}
		if _, err := h.Check(t.Context(), a); err != nil || h.store.readings() != before+1 {
			t.Errorf("%v went: %v after %d reads, want to be remembered again", i.Grounds[k], err, h.store.readings()-before)
		}
	}
}

// Whatever is wrong, it looks the same; the record says what it was.
func TestOneLook(t *testing.T) {
	t.Parallel()
	other := netip.MustParseAddr("198.51.100.7")
	for name, c := range map[string]struct {
		change func(*credential.Record, *authn.Attempt)
		reason string
	}{
		"unknown":             {func(_ *credential.Record, a *authn.Attempt) { a.Name += "0"; a.Secret = secret.New("x") }, "unknown"},
		"wrong secret":        {func(_ *credential.Record, a *authn.Attempt) { a.Secret = secret.New("wrong") }, "wrong secret"},
		"tenant disabled":     {func(r *credential.Record, _ *authn.Attempt) { r.TenantEnabled = false }, "tenant disabled"},
		"principal disabled":  {func(r *credential.Record, _ *authn.Attempt) { r.Principal.Enabled = false }, "principal disabled"},
		"credential disabled": {func(r *credential.Record, _ *authn.Attempt) { r.Credential.Enabled = false }, "credential disabled"},
		"credential revoked":  {func(r *credential.Record, _ *authn.Attempt) { r.Credential.Revoked = time.Now() }, "credential revoked"},
		"credential expired":  {func(r *credential.Record, _ *authn.Attempt) { r.Credential.Expires = time.Now() }, "credential expired"},
		"credential too new":  {func(r *credential.Record, _ *authn.Attempt) { r.Credential.NotBefore = time.Now().Add(time.Hour) }, "before its first day"},
		"another network":     {func(_ *credential.Record, a *authn.Attempt) { a.Remote = other }, "from another network"},
		"another tenant":      {func(_ *credential.Record, a *authn.Attempt) { a.Tenant = tenant.Tenant{ID: "ten_2", Enabled: true} }, "unknown"},
	} {
		for _, method := range []identity.Method{identity.KeyPair, identity.Password, identity.APIKey} {
			t.Run(name+"/"+string(method), func(t *testing.T) {
				t.Parallel()
				h := build(t)
				var rec *credential.Record
				var a authn.Attempt
				reason := c.reason
				switch method {
				case identity.KeyPair:
					rec, a = h.pair()
				case identity.Password:
					rec, a = h.user(t, "ann")
				case identity.APIKey:
					rec, a = h.apiKey()
					if reason == "wrong secret" {
						reason = "unknown" // a key has no name to be known by
					}
				}
				rec.Credential.Networks = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
				c.change(rec, &a)
				for _, f := range []func(context.Context, authn.Attempt) (*identity.Identity, error){h.Check, h.Login} {
					i, err := f(t.Context(), a)
					if i != nil || kindOf(err) != authn.Invalid {
						t.Fatalf("%v, %v, want a refusal of kind invalid", i, err)
					}
					if e := h.diary.last(); e.Reason != reason || e.Outcome != audit.Refused {
						t.Errorf("recorded %s as %q, want refused as %q", e.Action, e.Reason, reason)
					}
				}
			})
		}
	}
}

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

func TestAlternatives(t *testing.T) {
	t.Parallel()
	h := build(t)
	rec, right := h.pair()
	a := right
	a.Secret = secret.New("a%2Bb")
	a.Alternatives = []authn.Pair{{Name: right.Name, Secret: right.Secret}}
	for range 2 {
		if i, err := h.Check(t.Context(), a); err != nil || i.Credential != rec.Credential.ID {
			t.Fatalf("%v, %v", i, err)
		}
	}
	a.Alternatives = nil
	if _, err := h.Check(t.Context(), a); kindOf(err) != authn.Invalid {
		t.Errorf("without the reading that fits: %v, want invalid", err)
	}
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	h := build(t)
	for name, c := range map[string]struct {
		a    authn.Attempt
		want authn.Kind
	}{
		"nothing":      {authn.Attempt{Method: identity.APIKey}, authn.Missing},
		"no name":      {authn.Attempt{Method: identity.Password, Secret: secret.New("x")}, authn.Malformed},
		"NUL":          {authn.Attempt{Method: identity.Password, Name: "a\x00", Secret: secret.New("x")}, authn.Malformed},
		"bad UTF-8":    {authn.Attempt{Method: identity.APIKey, Secret: secret.New("\xff")}, authn.Malformed},
		"long name":    {authn.Attempt{Method: identity.KeyPair, Name: strings.Repeat("x", 257), Secret: secret.New("x")}, authn.Malformed},
		"long secret":  {authn.Attempt{Method: identity.JWT, Secret: secret.New(strings.Repeat("x", 16<<10+1))}, authn.Malformed},
		"no method":    {authn.Attempt{Secret: secret.New("x")}, authn.Malformed},
		"bad checksum": {authn.Attempt{Method: identity.APIKey, Secret: secret.New("ghk_garbage")}, authn.Invalid},
		"no opaques":   {authn.Attempt{Method: identity.Opaque, Secret: secret.New("ght_x")}, authn.Invalid},
	} {
		c.a.Tenant = acme
		if _, err := h.Check(t.Context(), c.a); kindOf(err) != c.want {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if n := h.store.readings(); n != 0 {
		t.Errorf("%d look-ups for garbage, want none", n)
	}
	a := authn.Attempt{Tenant: acme, Method: identity.Password, Secret: secret.New("x"), Name: "ann", Alternatives: []authn.Pair{{Name: "\x00"}, {Name: ""}}}
	if _, err := h.Check(t.Context(), a); kindOf(err) != authn.Invalid {
		t.Errorf("garbage as an alternative: %v, want invalid", err)
	}
}

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
	reads := h.store.readings()
	if _, err := h.Login(t.Context(), pair); err != nil || h.store.readings() != reads+1 {
		t.Errorf("login with a strong secret: %v, %d reads, want 1", err, h.store.readings()-reads)
	}
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
		_, err := h.Check(t.Context(), other)
		var r *authn.Refusal
		if !errors.As(err, &r) || r.Kind != authn.Unavailable || r.RetryAfter <= 0 || !r.Temporary() {
			t.Errorf("not remembered: %v, want unavailable with a wait", err)
		}
		time.Sleep(20 * time.Second)
		if _, err := h.Check(t.Context(), a); kindOf(err) != authn.Unavailable {
			t.Errorf("past the lease: %v, want unavailable", err)
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

func TestAllow(t *testing.T) {
	t.Parallel()
	h := build(t)
	who := &identity.Identity{Tenant: acme.ID, Principal: "cli_1", Roles: []string{"reader"}}
	if err := h.Allow(t.Context(), policy.Request{Identity: who, Action: "reader"}); err != nil {
		t.Error(err)
	}
	for action, recorded := range map[string]string{"writer": "policy.deny", "broken": "policy.error"} {
		if err := h.Allow(t.Context(), policy.Request{Identity: who, Action: action}); kindOf(err) != authn.Denied {
			t.Errorf("%s: %v, want denied", action, err)
		}
		if e := h.diary.last(); e.Action != recorded || e.Actor != "cli_1" || e.Outcome != audit.Refused {
			t.Errorf("recorded %+v, want %s", e, recorded)
		}
	}
	h = build(t, func(o *authn.Options) { o.Policy = rules{errors.New("cannot be read")} })
	if err := h.Allow(t.Context(), policy.Request{Identity: who, Action: "reader"}); kindOf(err) != authn.Unavailable {
		t.Errorf("%v, want unavailable", err)
	}
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

func TestHashesAreReplacedAtFirstUse(t *testing.T) {
	t.Parallel()
	h := build(t)
	long, short := secret.New("imported-and-generated-elsewhere"), secret.New("imported")
	slow := func(s secret.Text) []byte {
		return []byte("$sha256$salt$" + sha256Hex("salt"+s.Reveal()))
	}
	key := h.add(credential.APIKey, "imported", credential.Hashed, credential.PlainDigest(long))
	strong := h.add(credential.KeyPair, "strong", credential.Hashed, slow(long))
	weak := h.add(credential.KeyPair, "weak", credential.Hashed, slow(short))
	user := h.add(credential.Password, "ann", credential.Hashed, slow(short))
	for _, c := range []struct {
		rec    *credential.Record
		method identity.Method
		s      secret.Text
		want   credential.Scheme
	}{
		{key, identity.APIKey, long, credential.Digest},
		{strong, identity.KeyPair, long, credential.Digest},
		{weak, identity.KeyPair, short, credential.Hashed},
		{user, identity.Password, short, credential.Hashed},
	} {
		a := authn.Attempt{Tenant: acme, Dialect: "gateway", Method: c.method, Secret: c.s, Remote: home}
		if c.method != identity.APIKey {
			a.Name = c.rec.Credential.Lookup
		}
		before, old := h.store.replaced, string(c.rec.Secrets[0].Hash)
		for _, dialect := range []string{"gateway", "again", "and again"} { // not remembered from the one before
			a.Dialect = dialect
			if _, err := h.Check(t.Context(), a); err != nil {
				t.Fatalf("%s: %v", c.rec.Credential.Lookup, err)
			}
		}
		s := c.rec.Secrets[0]
		if h.store.replaced != before+1 || s.Scheme != c.want || string(s.Hash) == old {
			t.Errorf("%s: replaced %d times, now %s", c.rec.Credential.Lookup, h.store.replaced-before, s.Scheme)
		}
	}
}

func TestLastUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		rec, a := h.pair()
		for range 300 {
			if _, err := h.Check(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if n := len(h.store.uses); n < 3 || n > 5 || h.store.uses[0].Secret != rec.Secrets[0].ID {
			t.Errorf("%d notes of use in thirty seconds, want one each ten", n)
		}
	})
}

func TestLoginIsRecorded(t *testing.T) {
	t.Parallel()
	h := build(t)
	rec, a := h.user(t, "ann")
	a.RequestID, a.Country = "req_1", "NL"
	if _, err := h.Login(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	want := audit.Event{
		Tenant: acme.ID, Actor: rec.Principal.ID, Action: "login", Target: rec.Credential.ID, Outcome: audit.OK,
		Dialect: "gateway", Method: "password", Request: "req_1", Person: rec.Principal.ID,
		Personal: map[string]string{audit.FieldSource: home.String(), audit.FieldName: "ann"},
		Detail:   map[string]string{"country": "NL"},
	}
	if d := cmp.Diff(want, h.diary.last()); d != "" {
		t.Errorf("event (-want +got):\n%s", d)
	}
	n := len(h.diary.events)
	if _, err := h.Check(t.Context(), a); err != nil || len(h.diary.events) != n {
		t.Errorf("a good check is recorded: %v", err)
	}
	if _, err := h.Check(t.Context(), authn.Attempt{Tenant: acme, Method: identity.APIKey}); kindOf(err) != authn.Missing || len(h.diary.events) != n {
		t.Errorf("nothing presented is recorded: %v", err)
	}
}

// A marked secret that is shown in every wrong way is found in no refusal and
// in no event.
func TestSecretsStayOutOfErrorsAndEvents(t *testing.T) {
	t.Parallel()
	h := build(t)
	const mark = "CANARY-5eed"
	h.user(t, "ann")
	h.add(credential.KeyPair, "pair", credential.Hashed, []byte("unreadable "+mark))
	for _, m := range []identity.Method{identity.Password, identity.KeyPair, identity.APIKey, identity.JWT, identity.Opaque} {
		for _, name := range []string{"ann", "nobody", "pair"} {
			_, err := h.Login(t.Context(), authn.Attempt{
				Tenant: acme, Dialect: "gateway", Method: m, Name: name, Secret: secret.New(mark), Remote: home,
				Alternatives: []authn.Pair{{Name: name, Secret: secret.New(mark + "2")}},
			})
			if text := fmt.Sprintf("%v %+v %#v", err, err, errors.Unwrap(err)); strings.Contains(text, mark) {
				t.Errorf("%s: refusal shows the secret: %s", m, text)
			}
		}
	}
	if text := fmt.Sprintf("%#v", h.diary.events); strings.Contains(text, mark) || len(h.diary.events) == 0 {
		t.Errorf("events show the secret: %s", text)
	}
}
