package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/grant"
	"gatehouse.dev/internal/id"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/revocation"
)

// whole is a time that every engine keeps exactly.
var whole = time.Date(2026, 11, 21, 18, 0, 0, 123456000, time.UTC)

func principals(t *testing.T, w *world) {
	ctx := t.Context()
	want := principal.Principal{
		ID: id.New("cli"), Tenant: w.tenant.ID, Kind: principal.Client, Name: "pump", DisplayName: "Pump ☃",
		Comment: "in the cellar", Enabled: true, NotBefore: whole, ReuseWindow: 90 * time.Second, Roles: []string{"z", "a", "a"},
	}
	got, err := w.CreatePrincipal(ctx, want, event("principal.create"))
	ok(t, err)
	w.recorded(t, "principal.create", want.ID)
	want.Number, want.Created, want.Roles = w.user.Number+1, got.Created, []string{"a", "z"}
	same(t, "created", got, want)
	for _, find := range []func() (principal.Principal, error){
		func() (principal.Principal, error) { return w.Principal(ctx, want.ID) },
		func() (principal.Principal, error) {
			return w.PrincipalByName(ctx, w.tenant.ID, principal.Client, "pump")
		},
	} {
		got, err := find()
		ok(t, err)
		same(t, "found", got, want)
	}

	name, window := "", time.Duration(0)
	ok(t, w.UpdatePrincipal(ctx, want.ID, principal.Update{DisplayName: &name, ReuseWindow: &window}, event("principal.update")))
	w.recorded(t, "principal.update", want.ID)
	want.DisplayName, want.ReuseWindow = "", 0
	got, err = w.Principal(ctx, want.ID)
	ok(t, err)
	same(t, "updated", got, want)

	w.unrecorded(t, "a name twice", principal.ErrExists, func() error {
		p := want
		p.ID = id.New("cli")
		_, err := w.CreatePrincipal(ctx, p, event("principal.create"))
		return err
	})
	next := w.principal(t, principal.Client, "next")
	if next.Number != want.Number+1 {
		t.Errorf("number = %d after a refused creation, want %d", next.Number, want.Number+1)
	}
	w.principal(t, principal.Device, "pump") // another kind is another name
	w.unrecorded(t, "no tenant", principal.ErrNotFound, func() error {
		_, err := w.CreatePrincipal(ctx, principal.Principal{ID: id.New("cli"), Tenant: "ten_none", Kind: principal.Client, Name: "x"}, event("x"))
		return err
	})
	w.unrecorded(t, "update nobody", principal.ErrNotFound, func() error {
		return w.UpdatePrincipal(ctx, "cli_none", principal.Update{Comment: &name}, event("principal.update"))
	})
}

func principalsRace(t *testing.T, w *world) {
	errs := together(20, func(i int) error {
		_, err := w.CreatePrincipal(t.Context(), principal.Principal{
			ID: id.New("usr"), Tenant: w.tenant.ID, Kind: principal.User, Name: "raced", Enabled: true,
		}, event("principal.create"))
		return err
	})
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else {
			fails(t, "loser", err, principal.ErrExists)
		}
	}
	if won != 1 {
		t.Errorf("%d of 20 got the name", won)
	}
}

func principalsListed(t *testing.T, w *world) {
	ctx := t.Context()
	var ids []string
	for i := range 25 {
		p := w.principal(t, principal.Device, fmt.Sprint("d", i))
		_, err := w.GrantRole(ctx, p.ID, fmt.Sprint("r", i), event("role.grant"))
		ok(t, err)
		ids = append(ids, p.ID)
	}
	slices.Sort(ids)
	var got []string
	after := ""
	for {
		page, err := w.Principals(ctx, principal.Filter{Tenant: w.tenant.ID, Kind: principal.Device, After: after, Limit: 10})
		ok(t, err)
		for _, p := range page {
			same(t, "roles of "+p.Name, p.Roles, []string{"r" + p.Name[1:]})
			got = append(got, p.ID)
		}
		if len(page) < 10 {
			break
		}
		after = page[9].ID
	}
	same(t, "all pages", got, ids)

	one, err := w.Principals(ctx, principal.Filter{Tenant: w.tenant.ID, Name: "ann"})
	ok(t, err)
	same(t, "by name", one, []principal.Principal{w.user})
}

func principalEnds(t *testing.T, w *world) {
	ctx := t.Context()
	w.revokes(t, "principal.disable", w.user.ID, revocation.End,
		func() (int64, error) { return w.DisablePrincipal(ctx, w.user.ID, event("principal.disable")) },
		revocation.Ground{Kind: revocation.Principal, ID: w.user.ID})
	if p, _ := w.Principal(ctx, w.user.ID); p.Enabled {
		t.Error("still enabled")
	}
	ok(t, w.EnablePrincipal(ctx, w.user.ID, event("principal.enable")))
	w.recorded(t, "principal.enable", w.user.ID)
	if p, _ := w.Principal(ctx, w.user.ID); !p.Enabled {
		t.Error("not enabled again")
	}

	for _, at := range []time.Time{whole, whole.Add(-time.Hour)} { // the second moves nothing back
		w.revokes(t, "tokens.end", w.user.ID, revocation.End,
			func() (int64, error) { return w.EndTokensBefore(ctx, w.user.ID, at, event("tokens.end")) },
			revocation.Ground{Kind: revocation.TokensOf, ID: w.user.ID})
		p, err := w.Principal(ctx, w.user.ID)
		ok(t, err)
		same(t, "not before", p.NotBefore, whole)
	}
	for _, change := range []func() (int64, error){
		func() (int64, error) { return w.DisablePrincipal(ctx, "usr_none", event("x")) },
		func() (int64, error) { return w.EndTokensBefore(ctx, "usr_none", whole, event("x")) },
		func() (int64, error) { return w.DeletePrincipal(ctx, "usr_none", event("x")) },
	} {
		w.unrecorded(t, "nobody", principal.ErrNotFound, func() error { _, err := change(); return err })
	}
}

func principalDeleted(t *testing.T, w *world) {
	ctx := t.Context()
	c, sec := w.pair(t, "KEY")
	_, err := w.GrantRole(ctx, w.user.ID, "r", event("role.grant"))
	ok(t, err)
	tok := w.opaque(t, "tok", whole.AddDate(100, 0, 0))
	g := w.family(t, time.Time{})
	n := w.revokes(t, "principal.delete", w.user.ID, revocation.End,
		func() (int64, error) { return w.DeletePrincipal(ctx, w.user.ID, event("principal.delete")) },
		revocation.Ground{Kind: revocation.Principal, ID: w.user.ID})

	_, err = w.Principal(ctx, w.user.ID)
	fails(t, "principal", err, principal.ErrNotFound)
	_, err = w.Credential(ctx, c.ID)
	fails(t, "credential", err, credential.ErrNotFound)
	_, err = w.RecordBySecretNumber(ctx, sec.Number)
	fails(t, "secret", err, credential.ErrNotFound)
	got, err := w.OpaqueByDigest(ctx, w.tenant.ID, [][]byte{tok.Digest})
	ok(t, err)
	if got.Revoked.IsZero() {
		t.Error("an opaque token outlives its principal")
	}
	ref, fam, err := w.RefreshByDigest(ctx, w.tenant.ID, [][]byte{[]byte("refresh 1")})
	ok(t, err)
	if fam.ID != g.ID || fam.Ended.IsZero() || len(ref.Salt) != 0 {
		t.Errorf("a grant outlives its principal: %+v %+v", fam, ref)
	}
	if change, err := w.EndGrant(ctx, g.ID, "again", event("x")); err != nil || change != n {
		t.Errorf("EndGrant = %d, %v, want the change %d of the deletion", change, err, n)
	}
	if _, err := w.RotateRefresh(ctx, rotationOf(1), event("reuse")); err == nil {
		t.Error("a grant of nobody was rotated")
	} else {
		fails(t, "rotate", err, grant.ErrEnded)
	}

	again := w.principal(t, principal.User, "ann")
	if again.Number <= w.user.Number || len(again.Roles) != 0 {
		t.Errorf("the name came back with number %d and roles %v", again.Number, again.Roles)
	}
}

func roles(t *testing.T, w *world) {
	ctx := t.Context()
	w.revokes(t, "role.grant", w.user.ID, revocation.Recheck,
		func() (int64, error) { return w.GrantRole(ctx, w.user.ID, "ops", event("role.grant")) },
		revocation.Ground{Kind: revocation.Principal, ID: w.user.ID})
	_, err := w.GrantRole(ctx, w.user.ID, "ops", event("role.grant")) // twice is once
	ok(t, err)
	p, err := w.Principal(ctx, w.user.ID)
	ok(t, err)
	same(t, "roles", p.Roles, []string{"ops"})
	w.revokes(t, "role.remove", w.user.ID, revocation.Recheck,
		func() (int64, error) { return w.RemoveRole(ctx, w.user.ID, "ops", event("role.remove")) },
		revocation.Ground{Kind: revocation.Role, ID: w.user.ID + "/ops"})
	p, err = w.Principal(ctx, w.user.ID)
	ok(t, err)
	same(t, "roles", p.Roles, []string{})
	w.unrecorded(t, "nobody", principal.ErrNotFound, func() error {
		_, err := w.GrantRole(ctx, "usr_none", "ops", event("role.grant"))
		return err
	})
	w.unrecorded(t, "nobody", principal.ErrNotFound, func() error {
		_, err := w.RemoveRole(ctx, "usr_none", "ops", event("role.remove"))
		return err
	})
}
