package authn_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/tenant"
	"gatehouse.dev/internal/throttle"
)

// drawer is a vault that seals by adding the secret's id in front.
type drawer struct{ err error }

func (drawer) Salt(tenant, name string) (salt [16]byte) {
	copy(salt[:], tenant+name)
	return salt
}

func (d drawer) Open(_ context.Context, _, secretID string, sealed []byte) (secret.Key, error) {
	key, ours := bytes.CutPrefix(sealed, []byte(secretID+":"))
	if !ours && d.err == nil {
		d.err = errors.New("sealed for another row")
	}
	return secret.NewKey(bytes.Clone(key)), d.err
}

func withVault(o *authn.Options) { o.Vault = drawer{} }

// proof is an attempt whose packets were encrypted under key, and the keys it
// was tried with.
func proof(name, key string) (authn.Attempt, *[]secret.Key) {
	tried := new([]secret.Key)
	return authn.Attempt{
		Tenant: acme, Dialect: "fieldpine", Method: identity.Encryption, Name: name, Remote: home,
		Prove: func(k secret.Key) bool {
			*tried = append(*tried, k)
			return string(k.Bytes()) == key
		},
	}, tried
}

// encrypting adds somebody with these living keys.
func (h *house) encrypting(name string, keys ...string) *credential.Record {
	rec := h.add(credential.Encryption, name, credential.Sealed, nil)
	h.store.edit(func() {
		first := rec.Secrets[0]
		rec.Secrets = nil
		for i, key := range keys {
			s := first
			s.ID, s.Number = fmt.Sprint("sec_", name, i), first.Number+int64(i)
			s.Hash = []byte(s.ID + ":" + key)
			rec.Secrets = append(rec.Secrets, s)
		}
	})
	return rec
}

func TestProve(t *testing.T) {
	t.Parallel()
	h := build(t, withVault)
	rec := h.encrypting("ana", "old", "new")
	for i, key := range []string{"old", "new"} { // both live while one is rotated
		a, tried := proof("ana", key)
		id, err := h.Login(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		if id.Principal != rec.Principal.ID || id.Secret != rec.Secrets[i].ID || id.Method != identity.Encryption {
			t.Errorf("identity %+v", id)
		}
		want := []revocation.Ground{
			ground(revocation.Tenant, acme.ID), ground(revocation.Principal, rec.Principal.ID), ground(revocation.Policy, acme.ID),
			ground(revocation.Method, acme.ID+"/fieldpine/encryption"), ground(revocation.Role, rec.Principal.ID+"/reader"),
			ground(revocation.Credential, rec.Credential.ID), ground(revocation.Secret, rec.Secrets[i].ID),
		}
		if diff := cmp.Diff(want, id.Grounds); diff != "" {
			t.Errorf("grounds (-want +got):\n%s", diff)
		}
		if e := h.diary.last(); e.Action != "login" || e.Actor != rec.Principal.ID || e.Method != "encryption" {
			t.Errorf("audited %+v", e)
		}
		for _, k := range *tried { // wiped when it is over
			if strings.Trim(string(k.Bytes()), "\x00") != "" {
				t.Errorf("a key was left lying about")
			}
		}
	}
	// It is asked for each time, and never taken for another's.
	a, _ := proof("ana", "wrong")
	if _, err := h.Login(t.Context(), a); kindOf(err) != authn.Invalid {
		t.Errorf("a wrong key after a right one: %v", err)
	}
	a, _ = proof("ana", "new")
	a.Prove = nil
	if _, err := h.Login(t.Context(), a); kindOf(err) != authn.Invalid {
		t.Errorf("no proof: %v", err)
	}
}

// Whoever is refused was tried with as many keys, whatever the reason.
func TestProveRefusals(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(h *house, rec *credential.Record)
		name   string
		key    string
		reason string
	}{
		"Unknown":      {name: "nobody", key: "k", reason: "unknown"},
		"Wrong":        {name: "ana", key: "x", reason: "wrong secret"},
		"Disabled":     {func(_ *house, r *credential.Record) { r.Credential.Enabled = false }, "ana", "k", "credential disabled"},
		"Revoked":      {func(_ *house, r *credential.Record) { r.Credential.Revoked = time.Now() }, "ana", "k", "credential revoked"},
		"Owner":        {func(_ *house, r *credential.Record) { r.Principal.Enabled = false }, "ana", "k", "principal disabled"},
		"Tenant":       {func(_ *house, r *credential.Record) { r.TenantEnabled = false }, "ana", "k", "tenant disabled"},
		"SecretGone":   {func(_ *house, r *credential.Record) { r.Secrets[0].Revoked = time.Now() }, "ana", "k", "wrong secret"},
		"SecretEnded":  {func(_ *house, r *credential.Record) { r.Secrets[0].Expires = time.Now() }, "ana", "k", "wrong secret"},
		"Elsewhere":    {func(_ *house, r *credential.Record) { r.Credential.Countries = []string{"NZ"} }, "ana", "k", "from another country"},
		"OtherPurpose": {func(_ *house, r *credential.Record) { r.Secrets[0].Scheme = credential.Digest }, "ana", "k", "wrong secret"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := build(t, withVault)
			rec := h.encrypting("ana", "k")
			if tt.change != nil {
				h.store.edit(func() { tt.change(h, rec) })
			}
			a, tried := proof(tt.name, tt.key)
			_, err := h.Login(t.Context(), a)
			if kindOf(err) != authn.Invalid {
				t.Fatalf("got %v, want invalid", err)
			}
			if e := h.diary.last(); e.Reason != tt.reason {
				t.Errorf("reason %q, want %q", e.Reason, tt.reason)
			}
			right := tt.reason != "unknown" && tt.reason != "wrong secret"
			if len(*tried) != credential.MaxSecrets && !right {
				t.Errorf("tried with %d keys, want %d", len(*tried), credential.MaxSecrets)
			}
		})
	}
	t.Run("CannotOpen", func(t *testing.T) {
		t.Parallel()
		h := build(t, func(o *authn.Options) { o.Vault = drawer{errors.New("no master key")} })
		h.encrypting("ana", "k")
		a, _ := proof("ana", "k")
		if _, err := h.Login(t.Context(), a); kindOf(err) != authn.Unavailable {
			t.Errorf("got %v, want unavailable", err)
		}
	})
}

func TestProveThrottled(t *testing.T) {
	t.Parallel()
	h := build(t, withVault, func(o *authn.Options) {
		o.Throttle = throttle.New(time.Now(), throttle.Options{
			Pair: throttle.Limit{Failures: 3, Per: time.Minute}, Source: throttle.Limit{Failures: 6, Per: time.Minute},
		})
	})
	h.encrypting("ana", "k")
	login := func(name, key string) error {
		a, _ := proof(name, key)
		_, err := h.Login(t.Context(), a)
		return err
	}
	for range 3 {
		login("ana", "wrong")
	}
	if err := login("ana", "k"); kindOf(err) != authn.Invalid {
		t.Errorf("after three failures: %v", err)
	}
	for range 6 {
		login("bob", "wrong")
	}
	if err := login("eve", "k"); kindOf(err) != authn.Throttled {
		t.Errorf("after many failures of the source: %v", err)
	}
	a, _ := proof("eve", "k")
	if _, err := h.Begin(t.Context(), a); kindOf(err) != authn.Throttled {
		t.Errorf("Begin after many failures of the source: %v", err)
	}
}

func TestBegin(t *testing.T) {
	t.Parallel()
	h := build(t, withVault)
	h.encrypting("ana", "k")
	before := h.store.readings()
	for _, name := range []string{"ana", "nobody"} {
		a, _ := proof(name, "")
		salt, err := h.Begin(t.Context(), a)
		if err != nil || salt != (drawer{}).Salt(acme.ID, name) {
			t.Errorf("Begin(%s) = %q, %v", name, salt, err)
		}
	}
	if n := h.store.readings(); n != before {
		t.Errorf("Begin read %d credentials, and its time tells which", n-before)
	}
	h.store.change(revocation.End, func() {
		h.store.off = []tenant.MethodOff{{Method: tenant.Method{Dialect: "fieldpine", Method: "encryption"}}}
	}, ground(revocation.Method, acme.ID+"/fieldpine/encryption"))
	h.tail.Nudge()
	deadline := time.Now().Add(10 * time.Second)
	for {
		a, _ := proof("ana", "")
		_, err := h.Begin(t.Context(), a)
		if kindOf(err) == authn.Invalid {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the method is off: %v", err)
		}
		time.Sleep(time.Millisecond)
	}
}
