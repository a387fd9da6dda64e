package storetest

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/id"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/revocation"
)

func credentials(t *testing.T, w *world) {
	ctx := t.Context()
	want := w.newCredential(credential.KeyPair, "KEY")
	want.Comment = "for the pump"
	want.Constraints = credential.Constraints{
		Networks:  []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")},
		NotBefore: whole, Expires: whole.Add(time.Hour), Users: []string{"Wall board", "façade"},
	}
	want.CreatedBy = "usr_admin"
	sec := newSecret("h1")
	sec.NotBefore, sec.Expires = whole, whole.Add(time.Minute)
	got, secs, err := w.CreateCredential(ctx, want, []credential.Secret{sec, newSecret("h2")}, event("credential.create"))
	ok(t, err)
	w.recorded(t, "credential.create", want.ID)
	want.Number, want.Created = 1001, got.Created
	same(t, "created", got, want)
	if got.Created.IsZero() || secs[0].Number != 1001 || secs[1].Number != 1002 || secs[0].Credential != want.ID {
		t.Errorf("numbers: %+v %+v", got, secs)
	}
	sec.Number, sec.Credential, sec.Created = 1001, want.ID, secs[0].Created
	same(t, "secret", secs[0], sec)
	got, err = w.Credential(ctx, want.ID)
	ok(t, err)
	same(t, "found", got, want)
	list, err := w.Secrets(ctx, want.ID)
	ok(t, err)
	same(t, "secrets", list, secs)

	w.unrecorded(t, "another tenant's principal", credential.ErrNotFound, func() error {
		c := w.newCredential(credential.KeyPair, "OTHER")
		c.Tenant = "ten_other"
		_, _, err := w.CreateCredential(ctx, c, nil, event("x"))
		return err
	})
}

func credentialNames(t *testing.T, w *world) {
	ctx := t.Context()
	create := func(k credential.Kind, lookup, hash string) (credential.Credential, error) {
		c, _, err := w.CreateCredential(ctx, w.newCredential(k, lookup), []credential.Secret{newSecret(hash)}, event("credential.create"))
		return c, err
	}
	first, err := create(credential.Password, "ann", "1")
	ok(t, err)
	w.unrecorded(t, "a name twice", credential.ErrExists, func() error { _, err := create(credential.Password, "ann", "2"); return err })
	_, err = create(credential.KeyPair, "ann", "3") // another kind
	ok(t, err)
	for _, hash := range []string{"4", "5"} { // the beginnings of keys may be alike
		_, err = create(credential.APIKey, "gk_a", hash)
		ok(t, err)
	}
	w.unrecorded(t, "a key twice", credential.ErrExists, func() error { _, err := create(credential.APIKey, "gk_b", "4"); return err })

	// A revoked password lets go of its name, and the living one is found.
	_, err = w.RevokeCredential(ctx, first.ID, event("credential.revoke"))
	ok(t, err)
	rec, err := w.RecordByLookup(ctx, w.tenant.ID, credential.Password, "ann")
	ok(t, err)
	if rec.Credential.ID != first.ID || rec.Credential.Revoked.IsZero() {
		t.Errorf("revoked one = %+v", rec.Credential)
	}
	second, err := create(credential.Password, "ann", "6")
	ok(t, err)
	rec, err = w.RecordByLookup(ctx, w.tenant.ID, credential.Password, "ann")
	ok(t, err)
	if rec.Credential.ID != second.ID {
		t.Errorf("found %q, want the living %q", rec.Credential.ID, second.ID)
	}
}

func credentialChanges(t *testing.T, w *world) {
	ctx := t.Context()
	c, _ := w.pair(t, "KEY")
	ground := revocation.Ground{Kind: revocation.Credential, ID: c.ID}

	ok(t, w.SetComment(ctx, c.ID, "new", event("credential.comment")))
	w.recorded(t, "credential.comment", c.ID)
	narrow := credential.Constraints{Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Expires: whole, Users: []string{"wallboard"}}
	w.revokes(t, "credential.constrain", c.ID, revocation.Recheck,
		func() (int64, error) { return w.SetConstraints(ctx, c.ID, narrow, event("credential.constrain")) }, ground)
	w.revokes(t, "credential.disable", c.ID, revocation.End,
		func() (int64, error) { return w.DisableCredential(ctx, c.ID, event("credential.disable")) }, ground)
	got, err := w.Credential(ctx, c.ID)
	ok(t, err)
	if got.Enabled || got.Comment != "new" {
		t.Errorf("got %+v", got)
	}
	same(t, "constraints", got.Constraints, narrow)
	ok(t, w.EnableCredential(ctx, c.ID, event("credential.enable")))
	w.recorded(t, "credential.enable", c.ID)

	w.revokes(t, "credential.revoke", c.ID, revocation.End,
		func() (int64, error) { return w.RevokeCredential(ctx, c.ID, event("credential.revoke")) }, ground)
	first, err := w.Credential(ctx, c.ID)
	ok(t, err)
	if first.Revoked.IsZero() {
		t.Fatal("not revoked")
	}
	_, err = w.RevokeCredential(ctx, c.ID, event("credential.revoke"))
	ok(t, err)
	again, err := w.Credential(ctx, c.ID)
	ok(t, err)
	same(t, "time of the first revocation", again.Revoked, first.Revoked)
	w.unrecorded(t, "enable a revoked one", credential.ErrRevoked, func() error { return w.EnableCredential(ctx, c.ID, event("x")) })

	for _, change := range []func() error{
		func() error { return w.SetComment(ctx, "cre_none", "", event("x")) },
		func() error { return w.EnableCredential(ctx, "cre_none", event("x")) },
		func() error { _, err := w.DisableCredential(ctx, "cre_none", event("x")); return err },
		func() error { _, err := w.RevokeCredential(ctx, "cre_none", event("x")); return err },
		func() error {
			_, err := w.SetConstraints(ctx, "cre_none", credential.Constraints{}, event("x"))
			return err
		},
	} {
		w.unrecorded(t, "no credential", credential.ErrNotFound, change)
	}
}

// credentialNumbers: given once, in whatever order and however many at once.
func credentialNumbers(t *testing.T, w *world) {
	type numbers struct {
		credential, secret int64
		err                error
	}
	all := together(30, func(i int) numbers {
		c, s, err := w.CreateCredential(t.Context(), w.newCredential(credential.KeyPair, fmt.Sprint("K", i)),
			[]credential.Secret{newSecret(fmt.Sprint(i))}, event("credential.create"))
		if err != nil {
			return numbers{err: err}
		}
		return numbers{c.Number, s[0].Number, nil}
	})
	creds, secs := map[int64]bool{}, map[int64]bool{}
	for _, n := range all {
		ok(t, n.err)
		creds[n.credential], secs[n.secret] = true, true
	}
	if len(creds) != 30 || len(secs) != 30 || !creds[1001] || !creds[1030] || !secs[1030] {
		t.Errorf("numbers of credentials %v, of secrets %v", creds, secs)
	}
}

func records(t *testing.T, w *world) {
	ctx := t.Context()
	pair, sec := w.pair(t, "KEY")
	key, keySecrets, err := w.CreateCredential(ctx, w.newCredential(credential.APIKey, "gk_x"), []credential.Secret{newSecret("digest")}, event("x"))
	ok(t, err)
	for _, role := range []string{"b", "a"} {
		_, err := w.GrantRole(ctx, w.user.ID, role, event("x"))
		ok(t, err)
	}
	owner, err := w.Principal(ctx, w.user.ID)
	ok(t, err)
	same(t, "roles", owner.Roles, []string{"a", "b"})
	record := func(c credential.Credential, s ...credential.Secret) credential.Record {
		return credential.Record{Credential: c, Secrets: s, Principal: owner,
			TenantNumber: w.tenant.Number, TenantName: w.tenant.Name, TenantEnabled: true}
	}
	for name, c := range map[string]struct {
		find func() (credential.Record, error)
		want credential.Record
	}{
		"Lookup": {func() (credential.Record, error) {
			return w.RecordByLookup(ctx, w.tenant.ID, credential.KeyPair, "KEY")
		}, record(pair, sec)},
		"Digest": {func() (credential.Record, error) {
			return w.RecordByDigest(ctx, w.tenant.ID, credential.APIKey, [][]byte{[]byte("newer"), []byte("digest")})
		}, record(key, keySecrets...)},
		"Number":     {func() (credential.Record, error) { return w.RecordBySecretNumber(ctx, sec.Number) }, record(pair, sec)},
		"Credential": {func() (credential.Record, error) { return w.RecordByCredential(ctx, pair.ID) }, record(pair, sec)},
	} {
		got, err := c.find()
		ok(t, err)
		same(t, name, got, c.want)
	}
	for name, find := range map[string]func() (credential.Record, error){
		"case": func() (credential.Record, error) {
			return w.RecordByLookup(ctx, w.tenant.ID, credential.KeyPair, "key")
		},
		"kind": func() (credential.Record, error) {
			return w.RecordByLookup(ctx, w.tenant.ID, credential.Password, "KEY")
		},
		"tenant": func() (credential.Record, error) { return w.RecordByLookup(ctx, "ten_x", credential.KeyPair, "KEY") },
		"key's tenant": func() (credential.Record, error) {
			return w.RecordByDigest(ctx, "ten_x", credential.APIKey, [][]byte{[]byte("digest")})
		},
		"pair's digest": func() (credential.Record, error) {
			return w.RecordByDigest(ctx, w.tenant.ID, credential.APIKey, [][]byte{sec.Hash})
		},
		"no digests": func() (credential.Record, error) { return w.RecordByDigest(ctx, w.tenant.ID, credential.APIKey, nil) },
		"number":     func() (credential.Record, error) { return w.RecordBySecretNumber(ctx, 1) },
	} {
		_, err := find()
		fails(t, "another "+name, err, credential.ErrNotFound)
	}
	_, err = w.DisableTenant(ctx, w.tenant.ID, event("x"))
	ok(t, err)
	if rec, err := w.RecordByCredential(ctx, pair.ID); err != nil || rec.TenantEnabled {
		t.Errorf("of a disabled tenant: %+v, %v", rec, err)
	}
}

func imports(t *testing.T, w *world) {
	ctx := t.Context()
	item := func(owner string, k credential.Kind, lookup, hash string) credential.Import {
		c := w.newCredential(k, lookup)
		c.Principal = ""
		return credential.Import{
			Principal:  principal.Principal{ID: id.New("usr"), Tenant: w.tenant.ID, Kind: principal.User, Name: owner, Enabled: true, Roles: []string{"imported"}},
			Credential: c, Secret: newSecret(hash),
		}
	}
	batch := []credential.Import{
		item("ann", credential.Password, "ann", "1"), // of somebody who is there
		item("bob", credential.Password, "bob", "2"),
		item("bob", credential.APIKey, "k", "3"),
		item("bob", credential.APIKey, "k", "3"), // the same key again
	}
	res, err := w.ImportCredentials(ctx, batch, event("import"))
	ok(t, err)
	same(t, "results", res, []credential.ImportResult{
		{Credential: batch[0].Credential.ID}, {Credential: batch[1].Credential.ID}, {Credential: batch[2].Credential.ID}, {Existed: true},
	})
	bob, err := w.PrincipalByName(ctx, w.tenant.ID, principal.User, "bob")
	ok(t, err)
	same(t, "roles", bob.Roles, []string{"imported"})
	for _, c := range []struct{ lookup, owner string }{{"ann", w.user.ID}, {"bob", bob.ID}} {
		rec, err := w.RecordByLookup(ctx, w.tenant.ID, credential.Password, c.lookup)
		ok(t, err)
		if rec.Principal.ID != c.owner || rec.Credential.Number == 0 || rec.Secrets[0].Number == 0 {
			t.Errorf("imported %+v", rec)
		}
	}
	res, err = w.ImportCredentials(ctx, batch, event("import"))
	ok(t, err)
	for i, r := range res {
		if !r.Existed || r.Credential != "" {
			t.Errorf("second time, %d: %+v", i, r)
		}
	}
	// A key that was revoked does not come back by importing it again.
	_, err = w.RevokeCredential(ctx, batch[2].Credential.ID, event("x"))
	ok(t, err)
	res, err = w.ImportCredentials(ctx, []credential.Import{item("bob", credential.APIKey, "k", "3")}, event("import"))
	ok(t, err)
	if !res[0].Existed {
		t.Error("a revoked key came back")
	}
}
