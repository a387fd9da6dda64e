package storetest

import (
	"fmt"
	"testing"
	"time"

	"gatehouse.dev/internal/id"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/token"
)

func (w *world) signingKey(t testing.TB, at time.Time) token.SigningKey {
	t.Helper()
	k, err := w.AddNextKey(t.Context(), token.SigningKey{
		ID: id.New("key"), Tenant: w.tenant.ID, Use: "access", Alg: token.ES256, State: token.Next,
		Public: []byte("pub"), Private: []byte("priv"), Life: time.Hour, Created: at,
	}, event("key.add"))
	ok(t, err)
	return k
}

// states reads the keys of the tenant as state by id, and checks the youngest
// to be first.
func (w *world) states(t testing.TB) map[string]token.State {
	t.Helper()
	keys, err := w.SigningKeys(t.Context(), w.tenant.ID)
	ok(t, err)
	out := map[string]token.State{}
	for i, k := range keys {
		out[k.ID] = k.State
		if i > 0 && k.Created.After(keys[i-1].Created) {
			t.Error("an older key stands before a younger one")
		}
	}
	return out
}

func signingKeys(t *testing.T, w *world) {
	ctx := t.Context()
	a := w.signingKey(t, whole)
	w.recorded(t, "key.add", a.ID)
	same(t, "stored", a, token.SigningKey{ID: a.ID, Tenant: w.tenant.ID, Use: "access", Alg: token.ES256, State: token.Next,
		Public: []byte("pub"), Private: []byte("priv"), Life: time.Hour, Created: whole})
	same(t, "second next key", w.signingKey(t, whole), a)

	ok(t, w.ActivateKey(ctx, a.ID, whole.Add(1*time.Hour), event("key.activate")))
	w.recorded(t, "key.activate", a.ID)
	w.unrecorded(t, "activated again", token.ErrKeyState, func() error { return w.ActivateKey(ctx, a.ID, whole, event("x")) })
	b := w.signingKey(t, whole.Add(time.Minute))
	ok(t, w.ActivateKey(ctx, b.ID, whole.Add(2*time.Hour), event("key.activate")))
	c := w.signingKey(t, whole.Add(2*time.Minute))
	same(t, "states", w.states(t), map[string]token.State{a.ID: token.Retiring, b.ID: token.Active, c.ID: token.Next})

	// A retiring key that is distrusted promotes nobody.
	ground := func(k token.SigningKey) revocation.Ground {
		return revocation.Ground{Kind: revocation.SigningKey, ID: k.ID}
	}
	w.unrecorded(t, "seal an active key", token.ErrKeyState, func() error { _, err := w.SealKey(ctx, b.ID, whole, event("x")); return err })
	w.revokes(t, "key.distrust", a.ID, revocation.End,
		func() (int64, error) { return w.DistrustKey(ctx, a.ID, whole.Add(3*time.Hour), event("key.distrust")) }, ground(a))
	same(t, "states", w.states(t), map[string]token.State{a.ID: token.Distrusted, b.ID: token.Active, c.ID: token.Next})
	w.unrecorded(t, "distrusted again", token.ErrKeyState, func() error { _, err := w.DistrustKey(ctx, a.ID, whole, event("x")); return err })

	// The active one, though, is followed by the next at once.
	w.revokes(t, "key.distrust", b.ID, revocation.End,
		func() (int64, error) { return w.DistrustKey(ctx, b.ID, whole.Add(4*time.Hour), event("key.distrust")) }, ground(b))
	same(t, "states", w.states(t), map[string]token.State{a.ID: token.Distrusted, b.ID: token.Distrusted, c.ID: token.Active})
	w.revokes(t, "key.seal", b.ID, revocation.End,
		func() (int64, error) { return w.SealKey(ctx, b.ID, whole.Add(5*time.Hour), event("key.seal")) }, ground(b))

	keys, err := w.SigningKeys(ctx, w.tenant.ID)
	ok(t, err)
	wantB, wantC := b, c
	wantB.State, wantB.Private = token.Sealed, nil
	wantB.Activated, wantB.Retired, wantB.Ended = whole.Add(2*time.Hour), whole.Add(4*time.Hour), whole.Add(4*time.Hour)
	wantC.State, wantC.Activated = token.Active, whole.Add(4*time.Hour)
	same(t, "keys", keys[:2], []token.SigningKey{wantC, wantB})

	other, err := w.SigningKeys(ctx, "")
	ok(t, err)
	same(t, "the installation's", other, []token.SigningKey{})
	for _, change := range []func() error{
		func() error { return w.ActivateKey(ctx, "key_none", whole, event("x")) },
		func() error { _, err := w.DistrustKey(ctx, "key_none", whole, event("x")); return err },
		func() error { _, err := w.SealKey(ctx, "key_none", whole, event("x")); return err },
	} {
		w.unrecorded(t, "no key", token.ErrNotFound, change)
	}
}

// signingKeysRace: nodes that start together make one next key, and activate it
// once.
func signingKeysRace(t *testing.T, w *world) {
	for range 2 {
		keys := together(10, func(int) token.SigningKey { return w.signingKey(t, whole) })
		for _, k := range keys {
			if k.ID != keys[0].ID {
				t.Errorf("two next keys: %s and %s", k.ID, keys[0].ID)
			}
		}
		won := 0
		for _, err := range together(10, func(int) error { return w.ActivateKey(t.Context(), keys[0].ID, whole, event("key.activate")) }) {
			if err == nil {
				won++
			} else {
				fails(t, "late", err, token.ErrKeyState)
			}
		}
		if won != 1 {
			t.Errorf("activated %d times", won)
		}
	}
	active := 0
	for _, s := range w.states(t) {
		if s == token.Active {
			active++
		}
	}
	if active != 1 {
		t.Errorf("%d active keys", active)
	}
}

func revokedTokens(t *testing.T, w *world) {
	ctx := t.Context()
	tok := token.RevokedToken{Hash: "abc", Tenant: w.tenant.ID, Principal: w.user.ID, Expires: time.Now().Add(time.Hour)}
	n := w.revokes(t, "token.revoke", tok.Hash, revocation.End,
		func() (int64, error) { return w.RevokeToken(ctx, tok, event("token.revoke")) },
		revocation.Ground{Kind: revocation.Token, ID: tok.Hash})
	w.unrecorded(t, "again", nil, func() error {
		again, err := w.RevokeToken(ctx, tok, event("token.revoke"))
		if again != n {
			t.Errorf("again: change %d, want the first, %d", again, n)
		}
		return err
	})
	for hash, want := range map[string]bool{"abc": true, "abd": false} {
		got, err := w.TokenRevoked(ctx, hash)
		if err != nil || got != want {
			t.Errorf("TokenRevoked(%s) = %v, %v", hash, got, err)
		}
	}
}

func revokedTokensRace(t *testing.T, w *world) {
	tok := token.RevokedToken{Hash: "abc", Tenant: w.tenant.ID, Expires: time.Now().Add(time.Hour)}
	for _, n := range together(20, func(int) int64 {
		n, err := w.RevokeToken(t.Context(), tok, event("token.revoke"))
		if err != nil {
			t.Error(err)
		}
		return n
	}) {
		if n != 1 {
			t.Errorf("change %d, want the one of the first", n)
		}
	}
	if n := w.head(t); n != 1 {
		t.Errorf("head = %d after one revocation", n)
	}
}

// opaque stores a token of the user with digest.
func (w *world) opaque(t testing.TB, digest string, expires time.Time) token.Opaque {
	t.Helper()
	tok := token.Opaque{
		ID: id.New("tok"), Digest: []byte(digest), Tenant: w.tenant.ID, Principal: w.user.ID, Credential: "cre", Secret: "sec",
		Grant: "grt", Scopes: []string{}, Audience: []string{"a", "b"}, ProofKey: "thumb", Issued: whole, Expires: expires,
	}
	ok(t, w.AddOpaque(t.Context(), tok))
	return tok
}

func opaqueTokens(t *testing.T, w *world) {
	ctx := t.Context()
	later := time.Now().Add(time.Hour).Truncate(time.Microsecond).UTC()
	want := w.opaque(t, "one", later)
	free := want
	free.ID, free.Digest, free.Scopes, free.Issued = id.New("tok"), []byte("two"), nil, whole.Add(time.Second)
	ok(t, w.AddOpaque(ctx, free))
	for _, c := range []token.Opaque{want, free} {
		got, err := w.OpaqueByDigest(ctx, w.tenant.ID, [][]byte{[]byte("none"), c.Digest})
		ok(t, err)
		same(t, "found", got, c)
		// Not narrowed and narrowed to nothing are worlds apart.
		if (got.Scopes == nil) != (c.Scopes == nil) {
			t.Errorf("scopes %#v became %#v", c.Scopes, got.Scopes)
		}
	}
	_, err := w.OpaqueByDigest(ctx, "ten_other", [][]byte{want.Digest})
	fails(t, "another tenant", err, token.ErrNotFound)

	w.opaque(t, "gone", time.Now().Add(-time.Second))
	list, err := w.Opaques(ctx, w.tenant.ID, w.user.ID, 0)
	ok(t, err)
	want.Digest, free.Digest = nil, nil
	same(t, "listed", list, []token.Opaque{free, want})

	n := w.revokes(t, "token.revoke", want.ID, revocation.End,
		func() (int64, error) { return w.RevokeOpaque(ctx, want.ID, whole, event("token.revoke")) },
		revocation.Ground{Kind: revocation.Token, ID: want.ID})
	w.unrecorded(t, "again", nil, func() error {
		again, err := w.RevokeOpaque(ctx, want.ID, whole.Add(time.Hour), event("token.revoke"))
		if again != n {
			t.Errorf("again: change %d, want %d", again, n)
		}
		return err
	})
	got, err := w.OpaqueByDigest(ctx, w.tenant.ID, [][]byte{[]byte("one")})
	ok(t, err)
	same(t, "revoked at", got.Revoked, whole)
	w.unrecorded(t, "no token", token.ErrNotFound, func() error {
		_, err := w.RevokeOpaque(ctx, "tok_none", whole, event("x"))
		return err
	})
}

// tokensSwept removes more than one transaction takes.
func tokensSwept(t *testing.T, w *world) {
	ctx := t.Context()
	errs := together(8, func(i int) error {
		for j := range 80 {
			tok := token.Opaque{ID: id.New("tok"), Digest: []byte(fmt.Sprint(i, " ", j)), Tenant: w.tenant.ID, Principal: w.user.ID, Expires: whole}
			if err := w.AddOpaque(ctx, tok); err != nil {
				return err
			}
		}
		return nil
	})
	for _, err := range errs {
		ok(t, err)
	}
	w.opaque(t, "stays", whole.Add(time.Second))
	for hash, expires := range map[string]time.Time{"goes": whole, "stays": whole.Add(time.Second)} {
		_, err := w.RevokeToken(ctx, token.RevokedToken{Hash: hash, Tenant: w.tenant.ID, Expires: expires}, event("x"))
		ok(t, err)
	}
	n, err := w.SweepTokens(ctx, whole.Add(time.Microsecond))
	if err != nil || n != 641 {
		t.Errorf("swept %d, %v; want 641", n, err)
	}
	if _, err := w.OpaqueByDigest(ctx, w.tenant.ID, [][]byte{[]byte("stays")}); err != nil {
		t.Error(err)
	}
	if there, _ := w.TokenRevoked(ctx, "stays"); !there {
		t.Error("a revoked token came back before it expired")
	}
}
