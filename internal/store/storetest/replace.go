package storetest

import (
	"testing"
	"time"

	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/revocation"
)

// credentialReplaced: the fresh one has what the old one has now, and the old
// one ends.
func credentialReplaced(t *testing.T, w *world) {
	ctx := t.Context()
	old, _ := w.pair(t, "OLD")
	limits := credential.Constraints{Users: []string{"wallboard"}}
	_, err := w.SetConstraints(ctx, old.ID, limits, event("x"))
	ok(t, err)
	ok(t, w.SetComment(ctx, old.ID, "lobby", event("x")))
	ground := revocation.Ground{Kind: revocation.Credential, ID: old.ID}
	replace := func(ends time.Time, lookup string) (c credential.Credential, s credential.Secret, n int64, err error) {
		next := w.newCredential(credential.KeyPair, lookup)
		next.Principal, next.CreatedBy = "", "usr_admin"
		return w.ReplaceCredential(ctx, old.ID, ends, next, newSecret(lookup), event("credential.replace"))
	}

	// Later: as a constraint, which only ever comes sooner.
	ends := whole.Add(240 * time.Hour)
	var made credential.Credential
	var sec credential.Secret
	w.revokes(t, "credential.replace", old.ID, revocation.Recheck, func() (n int64, err error) {
		made, sec, n, err = replace(ends, "NEW")
		return n, err
	}, ground)
	if made.Principal != old.Principal || made.Comment != "lobby" || !made.Enabled || made.CreatedBy != "usr_admin" || sec.Credential != made.ID {
		t.Errorf("made %+v with %+v", made, sec)
	}
	same(t, "its constraints", made.Constraints, limits)
	_, _, _, err = replace(ends.Add(time.Hour), "NEWER")
	ok(t, err)
	got, err := w.Credential(ctx, old.ID)
	ok(t, err)
	same(t, "the end of the old one", got.Expires, ends)

	// At once, for good; what was disabled stays so.
	_, err = w.DisableCredential(ctx, old.ID, event("x"))
	ok(t, err)
	w.revokes(t, "credential.replace", old.ID, revocation.End, func() (n int64, err error) {
		made, _, n, err = replace(time.Time{}, "NEWEST")
		return n, err
	}, ground)
	if got, err = w.Credential(ctx, old.ID); err != nil || got.Revoked.IsZero() || made.Enabled {
		t.Errorf("the old one %+v, the fresh one %+v, %v", got, made, err)
	}
	w.unrecorded(t, "a revoked one", credential.ErrRevoked, func() error { _, _, _, err := replace(time.Time{}, "X"); return err })
	w.unrecorded(t, "none", credential.ErrNotFound, func() error {
		_, _, _, err := w.ReplaceCredential(ctx, "cre_none", time.Time{}, w.newCredential(credential.KeyPair, "Y"), newSecret("Y"), event("x"))
		return err
	})
}
