package storetest

import (
	"testing"
	"time"

	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/grant"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/store"
	"gatehouse.dev/internal/tenant"
	"gatehouse.dev/internal/token"
)

func swept(t *testing.T, w *world) {
	ctx := t.Context()
	c, sec := w.pair(t, "KEY")
	_, err := w.RevokeSecret(ctx, sec.ID, event("x"))
	ok(t, err)
	live := newSecret("live")
	live.Credential = c.ID
	_, _, err = w.AddSecret(ctx, live, time.Time{}, event("x"))
	ok(t, err)
	for range 4 {
		_, err := w.Revoke(ctx, revocation.Entry{Effect: revocation.End, Grounds: []revocation.Ground{conn("a")}})
		ok(t, err)
	}
	ok(t, w.Heartbeat(ctx, "nod_1", revocation.Position{}, []revocation.Receipt{{Change: 1}}))
	_, err = w.AcquireLease(ctx, "l", "h", time.Microsecond)
	ok(t, err)
	time.Sleep(2 * time.Millisecond) // PostgreSQL counts in microseconds

	n, err := w.Sweep(ctx, store.Retention{})
	if err != nil || n != 0 {
		t.Errorf("swept %d of what is fresh, %v", n, err)
	}
	all := store.Retention{Log: 1, Receipts: 1, Nodes: 1, Secrets: 1, Leases: 1}
	n, err = w.Sweep(ctx, all)
	if err != nil || n != 4+1+1+1+1 {
		t.Errorf("swept %d, %v; want 4 entries, a receipt, a node, a lease and a secret", n, err)
	}
	b, err := w.RevocationsSince(ctx, 0, 0)
	ok(t, err)
	if b.Head != 5 || len(b.Entries) != 1 || b.Entries[0].N != 5 {
		t.Errorf("log after the sweep: %+v", b)
	}
	list, err := w.Secrets(ctx, c.ID)
	ok(t, err)
	if len(list) != 1 || list[0].ID != live.ID {
		t.Errorf("secrets after the sweep: %+v", list)
	}
	next, _, err := w.AddSecret(ctx, credential.Secret{ID: "sec_next", Credential: c.ID, Scheme: credential.Digest}, time.Time{}, event("x"))
	ok(t, err)
	if next.Number != sec.Number+2 {
		t.Errorf("number %d after %d was swept: a number was given twice", next.Number, sec.Number)
	}
	n2, err := w.Revoke(ctx, revocation.Entry{Effect: revocation.End, Grounds: []revocation.Ground{conn("a")}})
	if err != nil || n2 != 6 {
		t.Errorf("number %d follows 5, %v", n2, err)
	}
}

// zeroTimesStayZero: none of them may come back as 1970.
func zeroTimesStayZero(t *testing.T, w *world) {
	c, sec := w.pair(t, "KEY")
	got, err := w.Credential(t.Context(), c.ID)
	ok(t, err)
	r, g := func() (grant.Refresh, grant.Grant) { w.family(t, time.Time{}); return w.refresh(t, 1) }()
	k := w.signingKey(t, whole)
	for name, at := range map[string]time.Time{
		"revoked": got.Revoked, "not before": got.NotBefore, "expires": got.Expires, "last used": got.LastUsed,
		"secret": sec.Revoked, "principal": w.user.NotBefore, "refresh": r.Expires, "rotated": r.Rotated, "family": g.Ended,
		"activated": k.Activated, "ended": k.Ended,
	} {
		if !at.IsZero() {
			t.Errorf("%s = %v", name, at)
		}
	}
}

// nothingFoundHasKinds: the nouns' names for it hold, and so does the store's.
func nothingFoundHasKinds(t *testing.T, w *world) {
	ctx := t.Context()
	for _, c := range []struct {
		find func() error
		want error
	}{
		{func() error { _, err := w.Tenant(ctx, "x"); return err }, tenant.ErrNotFound},
		{func() error { _, err := w.Principal(ctx, "x"); return err }, principal.ErrNotFound},
		{func() error { _, err := w.Credential(ctx, "x"); return err }, credential.ErrNotFound},
		{func() error { _, err := w.OpaqueByDigest(ctx, "x", [][]byte{{1}}); return err }, token.ErrNotFound},
		{func() error { _, _, err := w.RefreshByDigest(ctx, "x", [][]byte{{1}}); return err }, grant.ErrNotFound},
	} {
		err := c.find()
		fails(t, "noun's", err, c.want)
		fails(t, "store's", err, store.ErrNotFound)
		if err != nil && err.Error() != c.want.Error() {
			t.Errorf("message %q, want the noun's %q", err, c.want)
		}
	}
}
