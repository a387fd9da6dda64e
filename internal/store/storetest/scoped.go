package storetest

import (
	"errors"
	"testing"
	"time"

	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/revocation"
)

// scopedToken makes a token for a resource.
func (w *world) scopedToken(t *testing.T, resourceType, key, hash string, uses int64) credential.Credential {
	t.Helper()
	c := w.newCredential(credential.ScopedToken, "ghs_same") // beginnings may be alike
	c.Constraints = credential.Constraints{Countries: []string{"AU", "NZ"}, Expires: whole.Add(time.Hour)}
	c.Scope = credential.Scope{Type: resourceType, Key: key, Actions: []string{"fd1:sales:get_sale", "fd1:sales:list*"}, MaxUses: uses}
	made, _, err := w.CreateCredential(t.Context(), c, []credential.Secret{newSecret(hash)}, event("credential.create"))
	ok(t, err)
	c.Number, c.Created = made.Number, made.Created
	same(t, "made", made, c)
	return made
}

func scopedTokens(t *testing.T, w *world) {
	ctx := t.Context()
	c := w.scopedToken(t, "Sale", "7741", "one", 0)
	w.scopedToken(t, "Sale", "7742", "two", 0)
	key, _, err := w.CreateCredential(ctx, w.newCredential(credential.APIKey, "ghk_x"), []credential.Secret{newSecret("one")}, event("x"))
	ok(t, err) // the digest of another kind is another

	rec, err := w.RecordByDigest(ctx, w.tenant.ID, credential.ScopedToken, [][]byte{[]byte("none"), []byte("one")})
	ok(t, err)
	same(t, "found", rec.Credential, c)
	rec, err = w.RecordByDigest(ctx, w.tenant.ID, credential.APIKey, [][]byte{[]byte("one")})
	ok(t, err)
	same(t, "key", rec.Credential.ID, key.ID)
	_, err = w.RecordByDigest(ctx, w.tenant.ID, credential.KeyPair, [][]byte{[]byte("one")})
	fails(t, "of a kind that has no digests", err, credential.ErrNotFound)
	w.unrecorded(t, "a token twice", credential.ErrExists, func() error {
		_, _, err := w.CreateCredential(ctx, w.newCredential(credential.ScopedToken, "y"), []credential.Secret{newSecret("one")}, event("x"))
		return err
	})

	list, err := w.Credentials(ctx, credential.Filter{Tenant: w.tenant.ID, ResourceType: "Sale", ResourceKey: "7741"})
	ok(t, err)
	same(t, "listed by resource", list, []credential.Credential{c})

	change, err := w.SetConstraints(ctx, c.ID, credential.Constraints{Countries: []string{"NZ"}}, event("x"))
	ok(t, err)
	if change == 0 {
		t.Error("narrowing countries wrote no revocation")
	}
	got, err := w.Credential(ctx, c.ID)
	ok(t, err)
	same(t, "countries", got.Countries, []string{"NZ"})
}

func scopedRevoked(t *testing.T, w *world) {
	ctx := t.Context()
	a, b := w.scopedToken(t, "Sale", "7741", "a", 0), w.scopedToken(t, "Sale", "7741", "b", 0)
	other := w.scopedToken(t, "Sale", "7742", "c", 0)
	var n int
	w.revokes(t, "credential.revoke_scoped", "Sale/7741", revocation.End, func() (change int64, err error) {
		n, change, err = w.RevokeScoped(ctx, w.tenant.ID, "Sale", "7741", event("credential.revoke_scoped"))
		return change, err
	}, revocation.Ground{Kind: revocation.Credential, ID: min(a.ID, b.ID)}, revocation.Ground{Kind: revocation.Credential, ID: max(a.ID, b.ID)})
	if n != 2 {
		t.Errorf("%d revoked, want 2", n)
	}
	got, err := w.Credential(ctx, other.ID)
	ok(t, err)
	if !got.Revoked.IsZero() {
		t.Error("another resource's token was revoked")
	}
	n, change, err := w.RevokeScoped(ctx, w.tenant.ID, "Sale", "7741", event("x"))
	ok(t, err)
	if n != 0 || change != 0 {
		t.Errorf("again: %d revoked by change %d", n, change)
	}
}

// usesRace: of many logins at once, exactly as many as the limit count.
func usesRace(t *testing.T, w *world) {
	c := w.scopedToken(t, "Sale", "7741", "a", 5)
	taken := 0
	for _, err := range together(20, func(int) error { return w.TakeUse(t.Context(), c.ID) }) {
		switch {
		case err == nil:
			taken++
		case !errors.Is(err, credential.ErrUsedUp):
			t.Error(err)
		}
	}
	got, err := w.Credential(t.Context(), c.ID)
	ok(t, err)
	if taken != 5 || got.Uses != 5 {
		t.Errorf("%d logins got through and %d are counted, want 5", taken, got.Uses)
	}
	free := w.scopedToken(t, "Sale", "7741", "b", 0)
	for range 3 {
		ok(t, w.TakeUse(t.Context(), free.ID))
	}
	fails(t, "no such token", w.TakeUse(t.Context(), "cre_none"), credential.ErrUsedUp)
}
