package storetest

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/revocation"
)

func secrets(t *testing.T, w *world) {
	ctx := t.Context()
	c, first := w.pair(t, "KEY")
	next := func(hash string) credential.Secret {
		s := newSecret(hash)
		s.Credential = c.ID
		return s
	}

	// Without an end for the old ones, nothing changes for them.
	before := w.head(t)
	second, change, err := w.AddSecret(ctx, next("2"), time.Time{}, event("secret.add"))
	ok(t, err)
	w.recorded(t, "secret.add", c.ID)
	if change != 0 || w.head(t) != before || second.Number != first.Number+1 {
		t.Errorf("change %d, head %d→%d, %+v", change, before, w.head(t), second)
	}

	// With one, those that would live longer end then, and nodes are told.
	end := time.Now().Add(time.Hour).Truncate(time.Microsecond).UTC()
	soon := next("3")
	soon.Expires = end.Add(-time.Minute)
	third, _, err := w.AddSecret(ctx, soon, time.Time{}, event("secret.add"))
	ok(t, err)
	var fourth credential.Secret
	w.revokes(t, "secret.rotate", c.ID, revocation.Recheck, func() (n int64, err error) {
		fourth, n, err = w.AddSecret(ctx, next("4"), end, event("secret.rotate"))
		return n, err
	}, sorted(revocation.Ground{Kind: revocation.Secret, ID: first.ID}, revocation.Ground{Kind: revocation.Secret, ID: second.ID})...)
	list, err := w.Secrets(ctx, c.ID)
	ok(t, err)
	for i, want := range []time.Time{end, end, third.Expires, {}} {
		if !list[i].Expires.Equal(want) {
			t.Errorf("secret %d expires %v, want %v", i+1, list[i].Expires, want)
		}
	}

	w.revokes(t, "secret.revoke", first.ID, revocation.End,
		func() (int64, error) { return w.RevokeSecret(ctx, first.ID, event("secret.revoke")) },
		revocation.Ground{Kind: revocation.Secret, ID: first.ID})
	list, err = w.Secrets(ctx, c.ID)
	ok(t, err)
	if list[0].Revoked.IsZero() || !list[1].Revoked.IsZero() {
		t.Errorf("revoked: %+v", list)
	}

	// The hash is replaced only while it is the one that was verified.
	ok(t, w.ReplaceHash(ctx, fourth.ID, []byte("other"), credential.Digest, []byte("bad")))
	ok(t, w.ReplaceHash(ctx, fourth.ID, []byte("4"), credential.Hashed, []byte("new")))
	ok(t, w.ReplaceHash(ctx, fourth.ID, []byte("4"), credential.Digest, []byte("late")))
	list, err = w.Secrets(ctx, c.ID)
	ok(t, err)
	if string(list[3].Hash) != "new" || list[3].Scheme != credential.Hashed {
		t.Errorf("hash = %q, %s", list[3].Hash, list[3].Scheme)
	}

	ok(t, w.NoteUses(ctx, []credential.Use{
		{Secret: first.ID, At: whole.Add(-time.Minute), From: netip.MustParseAddr("192.0.2.1")},
		{Secret: second.ID, At: whole, From: netip.MustParseAddr("2001:db8::7")}, {Secret: "sec_none", At: whole},
		{Secret: second.ID, At: whole.Add(-time.Hour), From: netip.MustParseAddr("192.0.2.3")},
	}))
	list, err = w.Secrets(ctx, c.ID)
	ok(t, err)
	same(t, "last used", list[1].LastUsed, whole)
	same(t, "from", fmt.Sprint(list[0].LastFrom, list[1].LastFrom), "192.0.2.1 2001:db8::7")
	got, err := w.Credential(ctx, c.ID)
	ok(t, err)
	same(t, "the credential's", got.LastUsed, whole)
	same(t, "the credential's from", got.LastFrom.String(), "2001:db8::7")

	w.unrecorded(t, "no credential", credential.ErrNotFound, func() error {
		s := next("5")
		s.Credential = "cre_none"
		_, _, err := w.AddSecret(ctx, s, time.Time{}, event("x"))
		return err
	})
	w.unrecorded(t, "no secret", credential.ErrNotFound, func() error { _, err := w.RevokeSecret(ctx, "sec_none", event("x")); return err })
	_, err = w.RevokeCredential(ctx, c.ID, event("x"))
	ok(t, err)
	w.unrecorded(t, "revoked credential", credential.ErrRevoked, func() error {
		_, _, err := w.AddSecret(ctx, next("6"), time.Time{}, event("x"))
		return err
	})
}

// sorted is the order in which the log gives grounds back.
func sorted(a, b revocation.Ground) []revocation.Ground {
	if a.ID > b.ID {
		a, b = b, a
	}
	return []revocation.Ground{a, b}
}

// secretsRace: twenty add one each, and no more than eight are ever live.
func secretsRace(t *testing.T, w *world) {
	ctx := t.Context()
	c, _ := w.pair(t, "KEY")
	errs := together(20, func(i int) error {
		s := newSecret(fmt.Sprint(i))
		s.Credential = c.ID
		_, _, err := w.AddSecret(ctx, s, time.Time{}, event("secret.add"))
		return err
	})
	added := 0
	for _, err := range errs {
		if err == nil {
			added++
		} else {
			fails(t, "one too many", err, credential.ErrTooMany)
		}
	}
	if list, _ := w.Secrets(ctx, c.ID); added != 7 || len(list) != 8 {
		t.Errorf("%d were added, %d are there; want 7 and 8", added, len(list))
	}

	// Ending the old ones makes room.
	s := newSecret("room")
	s.Credential = c.ID
	_, change, err := w.AddSecret(ctx, s, time.Now().Add(-time.Second), event("secret.rotate"))
	if err != nil || change == 0 {
		t.Errorf("rotation of a full credential: change %d, %v", change, err)
	}
}
