package authn_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
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
