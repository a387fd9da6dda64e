package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"gatehouse.dev/internal/grant"
	"gatehouse.dev/internal/id"
	"gatehouse.dev/internal/revocation"
)

// family stores a grant of the user whose first token has the digest
// "refresh 1" and expires then.
func (w *world) family(t testing.TB, expires time.Time) grant.Grant {
	t.Helper()
	g := grant.Grant{
		ID: id.New("grt"), Tenant: w.tenant.ID, Principal: w.user.ID, Client: "cli_1", Credential: "cre", Secret: "sec",
		Scopes: []string{"read"}, Audience: []string{"api"}, ProofKey: "thumb",
		Created: whole, Expires: time.Now().Add(time.Hour).Truncate(time.Microsecond).UTC(), Idle: time.Minute,
	}
	ok(t, w.CreateGrant(t.Context(), g, refreshToken(1, expires), event("grant.create")))
	return g
}

func refreshToken(n int, expires time.Time) grant.Refresh {
	return grant.Refresh{Digest: fmt.Append(nil, "refresh ", n), Salt: fmt.Append(nil, "salt ", n), Issued: whole, Expires: expires}
}

// rotationOf is what the holder of token n asks for.
func rotationOf(n int) grant.Rotation {
	return grant.Rotation{Presented: fmt.Append(nil, "refresh ", n), Next: refreshToken(n+1, time.Time{}), By: []byte("client"), Window: 10 * time.Second}
}

// refresh reads token n.
func (w *world) refresh(t testing.TB, n int) (grant.Refresh, grant.Grant) {
	t.Helper()
	r, g, err := w.RefreshByDigest(t.Context(), w.tenant.ID, [][]byte{[]byte("none"), fmt.Append(nil, "refresh ", n)})
	if err != nil {
		t.Fatalf("refresh token %d: %v", n, err)
	}
	return r, g
}

func grants(t *testing.T, w *world) {
	ctx := t.Context()
	expires := time.Now().Add(time.Minute).Truncate(time.Microsecond).UTC()
	want := w.family(t, expires)
	w.recorded(t, "grant.create", want.ID)
	r, g := w.refresh(t, 1)
	same(t, "family", g, want)
	first := refreshToken(1, expires)
	first.Grant, first.Generation = want.ID, 1
	same(t, "first token", r, first)
	_, _, err := w.RefreshByDigest(ctx, "ten_other", [][]byte{first.Digest})
	fails(t, "another tenant", err, grant.ErrNotFound)

	list, err := w.Grants(ctx, w.tenant.ID, w.user.ID, 0)
	ok(t, err)
	same(t, "listed", list, []grant.Grant{want})
	n := w.revokes(t, "grant.end", want.ID, revocation.End,
		func() (int64, error) { return w.EndGrant(ctx, want.ID, "asked for", event("grant.end")) },
		revocation.Ground{Kind: revocation.Grant, ID: want.ID})
	w.unrecorded(t, "again", nil, func() error {
		again, err := w.EndGrant(ctx, want.ID, "once more", event("grant.end"))
		if again != n {
			t.Errorf("again: change %d, want %d", again, n)
		}
		return err
	})
	r, g = w.refresh(t, 1)
	if g.Ended.IsZero() || g.EndReason != "asked for" || len(r.Salt) != 0 {
		t.Errorf("ended: %+v, %+v", g, r)
	}
	list, err = w.Grants(ctx, w.tenant.ID, w.user.ID, 0)
	ok(t, err)
	same(t, "listed after its end", list, []grant.Grant{})
	w.unrecorded(t, "no grant", grant.ErrNotFound, func() error { _, err := w.EndGrant(ctx, "grt_none", "", event("x")); return err })
}

func rotation(t *testing.T, w *world) {
	ctx := t.Context()
	g := w.family(t, time.Time{})
	before := w.head(t)
	for n := 1; n <= 3; n++ {
		out, err := w.RotateRefresh(ctx, rotationOf(n), event("reuse"))
		ok(t, err)
		same(t, "rotated", out, grant.Rotated{})
		for range 2 { // the answer was lost
			out, err = w.RotateRefresh(ctx, rotationOf(n), event("reuse"))
			ok(t, err)
			same(t, "repeated", out, grant.Rotated{Repeat: true})
		}
		old, _ := w.refresh(t, n)
		if old.Rotated.IsZero() || string(old.RotatedBy) != "client" || len(old.Salt) == 0 {
			t.Errorf("token %d = %+v", n, old)
		}
		next, _ := w.refresh(t, n+1)
		if next.Generation != int64(n+1) || next.Grant != g.ID || !next.Rotated.IsZero() {
			t.Errorf("successor = %+v", next)
		}
		if n > 1 {
			if before, _ := w.refresh(t, n-1); len(before.Salt) != 0 {
				t.Errorf("using token %d left the salt that derives it", n)
			}
		}
	}
	if n := w.head(t); n != before {
		t.Error("rotations revoked something")
	}
}

// rotationRefused: what is neither a rotation nor reuse changes nothing.
func rotationRefused(t *testing.T, w *world) {
	ctx := t.Context()
	w.family(t, time.Now().Add(-time.Second))
	w.unrecorded(t, "expired token", grant.ErrEnded, func() error { _, err := w.RotateRefresh(ctx, rotationOf(1), event("x")); return err })
	w.unrecorded(t, "no such token", grant.ErrNotFound, func() error { _, err := w.RotateRefresh(ctx, rotationOf(7), event("x")); return err })

	g := grant.Grant{ID: id.New("grt"), Tenant: w.tenant.ID, Principal: w.user.ID, Created: whole, Expires: time.Now().Add(-time.Second)}
	first := refreshToken(20, time.Time{})
	ok(t, w.CreateGrant(ctx, g, first, event("grant.create")))
	w.unrecorded(t, "expired family", grant.ErrEnded, func() error { _, err := w.RotateRefresh(ctx, rotationOf(20), event("x")); return err })

	g.ID, g.Expires = id.New("grt"), time.Time{}
	ok(t, w.CreateGrant(ctx, g, refreshToken(30, time.Time{}), event("grant.create")))
	_, err := w.EndGrant(ctx, g.ID, "over", event("x"))
	ok(t, err)
	w.unrecorded(t, "ended family", grant.ErrEnded, func() error { _, err := w.RotateRefresh(ctx, rotationOf(30), event("x")); return err })
}

func rotationReuse(t *testing.T, w *world) {
	for name, c := range map[string]struct {
		rotated int // tokens 1 to this one are rotated first
		reuse   grant.Rotation
	}{
		"AfterTheSuccessorWasUsed": {2, rotationOf(1)},
		"ByAnother":                {1, func() grant.Rotation { r := rotationOf(1); r.By = []byte("thief"); return r }()},
		"WithAnotherSuccessor":     {1, func() grant.Rotation { r := rotationOf(1); r.Next = refreshToken(9, time.Time{}); return r }()},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			w.user = w.principal(t, "user", name)
			g := w.family(t, time.Time{})
			for n := 1; n <= c.rotated; n++ {
				_, err := w.RotateRefresh(ctx, rotationOf(n), event("x"))
				ok(t, err)
			}
			var out grant.Rotated
			w.revokes(t, "grant.reuse", g.ID, revocation.End, func() (int64, error) {
				var err error
				out, err = w.RotateRefresh(ctx, c.reuse, event("grant.reuse"))
				if !errors.Is(err, grant.ErrReused) {
					return 0, fmt.Errorf("err = %w, want ErrReused", err)
				}
				return out.Change, nil
			}, revocation.Ground{Kind: revocation.Grant, ID: g.ID})
			for n := 1; n <= c.rotated+1; n++ {
				if r, g := w.refresh(t, n); len(r.Salt) != 0 || g.Ended.IsZero() {
					t.Errorf("token %d after reuse: %+v %+v", n, r, g)
				}
			}
			_, err := w.RotateRefresh(ctx, rotationOf(c.rotated+1), event("x"))
			fails(t, "the honest holder", err, grant.ErrEnded)
			// Make room for the digests of the next case.
			_, err = w.SweepGrants(ctx, time.Now().Add(time.Minute))
			ok(t, err)
		})
	}
}

func rotationWindow(t *testing.T, w *world) {
	ctx := t.Context()
	w.family(t, time.Time{})
	_, err := w.RotateRefresh(ctx, rotationOf(1), event("x"))
	ok(t, err)
	n, err := w.EraseSalts(ctx, time.Hour)
	if err != nil || n != 0 {
		t.Errorf("erased %d inside the window, %v", n, err)
	}
	rest := func() { w.sql(t, `UPDATE refresh_token SET rotated = rotated - 10000001 WHERE rotated > 0`) }
	rest()
	_, err = w.RotateRefresh(ctx, rotationOf(1), event("x"))
	fails(t, "a repeat after the window", err, grant.ErrReused)

	_, err = w.SweepGrants(ctx, time.Now().Add(time.Minute))
	ok(t, err)
	w.family(t, time.Time{})
	_, err = w.RotateRefresh(ctx, rotationOf(1), event("x"))
	ok(t, err)
	rest()
	n, err = w.EraseSalts(ctx, 10*time.Second)
	if err != nil || n != 1 {
		t.Errorf("erased %d, %v; want the one salt of the rotated token", n, err)
	}
	if r, _ := w.refresh(t, 2); len(r.Salt) == 0 {
		t.Error("the newest token lost its salt")
	}
	_, err = w.RotateRefresh(ctx, rotationOf(1), event("x"))
	fails(t, "a repeat without salt", err, grant.ErrReused)
}

// rotationRace: twenty at once with one token get one successor.
func rotationRace(t *testing.T, w *world) {
	w.family(t, time.Time{})
	for n := 1; n <= 3; n++ {
		first := 0
		for _, r := range together(20, func(int) rotated {
			out, err := w.RotateRefresh(t.Context(), rotationOf(n), event("x"))
			return rotated{out, err}
		}) {
			ok(t, r.err)
			if !r.Repeat {
				first++
			}
		}
		if first != 1 {
			t.Errorf("token %d was rotated %d times", n, first)
		}
	}
	// With a successor of their own each, one wins and the others are reuse.
	won, reused := 0, 0
	for _, r := range together(20, func(i int) rotated {
		r := rotationOf(4)
		r.Next = refreshToken(100+i, time.Time{})
		out, err := w.RotateRefresh(t.Context(), r, event("x"))
		return rotated{out, err}
	}) {
		switch {
		case r.err == nil && !r.Repeat:
			won++
		case errors.Is(r.err, grant.ErrReused):
			reused++
		case !errors.Is(r.err, grant.ErrEnded):
			t.Errorf("%+v", r)
		}
	}
	if won != 1 || reused != 1 {
		t.Errorf("%d rotated and %d ended the family, want one each", won, reused)
	}
}

type rotated struct {
	grant.Rotated
	err error
}

// rotationAgainstEnd: whichever comes first, no salt is left in an ended family.
func rotationAgainstEnd(t *testing.T, w *world) {
	for i := range 15 {
		g := grant.Grant{ID: id.New("grt"), Tenant: w.tenant.ID, Principal: w.user.ID, Created: whole}
		n := 1000 + 10*i
		ok(t, w.CreateGrant(t.Context(), g, refreshToken(n, time.Time{}), event("grant.create")))
		errs := together(2, func(j int) error {
			if j == 0 {
				_, err := w.EndGrant(t.Context(), g.ID, "over", event("grant.end"))
				return err
			}
			_, err := w.RotateRefresh(t.Context(), rotationOf(n), event("x"))
			return err
		})
		ok(t, errs[0])
		if r, _ := w.refresh(t, n); len(r.Salt) != 0 {
			t.Fatal("salt left in an ended family")
		}
		if errs[1] == nil {
			if r, _ := w.refresh(t, n+1); len(r.Salt) != 0 {
				t.Fatal("salt of the successor left in an ended family")
			}
		} else {
			fails(t, "too late", errs[1], grant.ErrEnded)
		}
	}
}

func grantsSwept(t *testing.T, w *world) {
	ctx := t.Context()
	old := grant.Grant{ID: "grt_old", Tenant: w.tenant.ID, Principal: w.user.ID, Created: whole, Expires: whole}
	ok(t, w.CreateGrant(ctx, old, refreshToken(50, time.Time{}), event("x")))
	keep := w.family(t, time.Time{})
	n, err := w.SweepGrants(ctx, whole.Add(time.Microsecond))
	if err != nil || n != 1 {
		t.Errorf("swept %d, %v", n, err)
	}
	_, _, err = w.RefreshByDigest(ctx, w.tenant.ID, [][]byte{refreshToken(50, time.Time{}).Digest})
	fails(t, "token of a swept family", err, grant.ErrNotFound)
	if _, g := w.refresh(t, 1); g.ID != keep.ID {
		t.Error("a living family was swept")
	}
}
