package token_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"gatehouse.dev/internal/fair"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/token"
)

// jwks reads the published keys as a stranger does.
func jwks(t *testing.T, n *node, uses ...string) jose.JSONWebKeySet {
	t.Helper()
	d, err := n.keys.Document(t.Context(), n.tenant.ID, uses...)
	if err != nil {
		t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(d.Body, &set); err != nil {
		t.Fatal(err)
	}
	return set
}

func TestFirstKey(t *testing.T) {
	t.Parallel()
	n := newHouse(t).newNode(t, token.KeysOptions{})
	if got := jwks(t, n); len(got.Keys) != 0 {
		t.Errorf("%d keys before the first token", len(got.Keys))
	}
	out := n.issue(t, ask(n))
	if err := n.verify(t, plain(n), out.Token); err != nil {
		t.Errorf("verify: %v", err)
	}
	set := jwks(t, n)
	if len(set.Keys) != 1 || set.Keys[0].KeyID != out.SigningKey || !set.Keys[0].IsPublic() {
		t.Fatalf("published %+v, want the one key %s", set.Keys, out.SigningKey)
	}
	jws, err := jose.ParseSignedCompact(out.Token.Reveal(), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jws.Verify(set.Keys[0].Key); err != nil {
		t.Errorf("a stranger with the published keys: %v", err)
	}
}

// Every node that wants the first key at the same moment gets the same one.
func TestFirstKeyRace(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	nodes := []*node{h.newNode(t, token.KeysOptions{}), h.newNode(t, token.KeysOptions{}), h.newNode(t, token.KeysOptions{})}
	ids := make([]string, 21)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			n := nodes[i%3]
			out, err := n.issuer.Issue(t.Context(), ask(n))
			if err != nil {
				t.Error(err)
			}
			ids[i] = out.SigningKey
		})
	}
	wg.Wait()
	slices.Sort(ids)
	if got := slices.Compact(ids); len(got) != 1 {
		t.Errorf("signed under %d keys, want 1: %v", len(got), got)
	}
}

func TestNoKeyInTime(t *testing.T) {
	t.Parallel()
	n := newHouse(t).newNode(t, token.KeysOptions{Wait: time.Nanosecond})
	r := ask(n)
	p := *r.Profile
	p.Alg, r.Profile = token.RS384, &p
	if _, err := n.issuer.Issue(t.Context(), r); !errors.Is(err, token.ErrNoKey) || errors.Is(err, token.ErrInvalid) {
		t.Fatalf("error = %v, want ErrNoKey", err)
	}
	// It goes on in the background.
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		out, err := n.issuer.Issue(t.Context(), r)
		if err == nil {
			if err := n.verify(t, r.Profile, out.Token); err != nil {
				t.Error(err)
			}
			return
		}
		if !errors.Is(err, token.ErrNoKey) || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func TestRotationRefusesNoToken(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	n, far := h.newNode(t, token.KeysOptions{}), h.newNode(t, token.KeysOptions{})
	first := n.issue(t, ask(n))
	if err := far.verify(t, plain(n), first.Token); err != nil {
		t.Fatal(err)
	}

	// The next key must have been published first.
	_, err := n.keys.Rotate(t.Context(), n.tenant.ID, "plain", token.ES256, false, event("signing_key.rotate"))
	var early *token.NotPublishedError
	if !errors.As(err, &early) {
		t.Fatalf("rotate at once: %v, want NotPublishedError", err)
	}
	if set := jwks(t, n); len(set.Key(early.Key.ID)) != 1 || len(set.Keys) != 2 {
		t.Errorf("the next key is not published: %+v", set.Keys)
	}
	if out := n.issue(t, ask(n)); out.SigningKey != first.SigningKey {
		t.Error("the next key signs already")
	}

	h.pass(11 * time.Minute)
	active, err := n.keys.Rotate(t.Context(), n.tenant.ID, "plain", token.ES256, false, event("signing_key.rotate"))
	if err != nil || active.ID != early.Key.ID || len(active.Private) != 0 {
		t.Fatalf("rotated to %s, %v; want %s without private half", active.ID, err, early.Key.ID)
	}
	second := n.issue(t, ask(n))
	if second.SigningKey != active.ID {
		t.Errorf("signed by %s, want %s", second.SigningKey, active.ID)
	}
	for _, who := range []*node{n, far} {
		for i, tok := range []secret.Text{first.Token, second.Token} {
			if err := who.verify(t, plain(n), tok); err != nil {
				t.Errorf("token %d after the rotation: %v", i+1, err)
			}
		}
	}
	if set := jwks(t, far); len(set.Key(first.SigningKey)) != 1 {
		t.Error("the retiring key is not published any more")
	}

	// When its last token has expired, a retiring key is put away.
	h.pass(25 * time.Hour)
	n.keys.Maintain(t.Context())
	if got := n.states(t, "plain")[token.Sealed]; !slices.Equal(got, []string{first.SigningKey}) {
		t.Errorf("sealed %v, want %s", got, first.SigningKey)
	}
	rows, err := h.store.SigningKeys(t.Context(), n.tenant.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if (row.State == token.Sealed) != (len(row.Private) == 0) {
			t.Errorf("key %s is %s with a private half of %d bytes", row.ID, row.State, len(row.Private))
		}
	}
	if set := jwks(t, n); len(set.Key(first.SigningKey)) != 0 {
		t.Error("a sealed key is published")
	}
}

// A node whose memory is older than the rotation takes the new key's tokens.
func TestRotationSeenByOthers(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	n, far := h.newNode(t, token.KeysOptions{}), h.newNode(t, token.KeysOptions{})
	first := n.issue(t, ask(n))
	if err := far.verify(t, plain(n), first.Token); err != nil {
		t.Fatal(err)
	}
	h.pass(2 * time.Second) // not old enough to be looked at again for its age
	if _, err := n.keys.Rotate(t.Context(), n.tenant.ID, "plain", token.ES256, true, event("signing_key.rotate")); err != nil {
		t.Fatal(err)
	}
	second := n.issue(t, ask(n))
	if second.SigningKey == first.SigningKey {
		t.Fatal("not rotated")
	}
	if err := far.verify(t, plain(n), second.Token); err != nil {
		t.Errorf("the other node: %v", err)
	}
}

func TestKeysRotateThemselves(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	n := h.newNode(t, token.KeysOptions{RotateEvery: time.Hour})
	first := n.issue(t, ask(n))
	n.keys.Maintain(t.Context())
	next := n.states(t, "plain")[token.Next]
	if len(next) != 1 {
		t.Fatalf("next keys = %v, want one", next)
	}
	h.pass(30 * time.Minute)
	n.keys.Maintain(t.Context())
	if got := n.issue(t, ask(n)).SigningKey; got != first.SigningKey {
		t.Error("rotated too early")
	}
	h.pass(31 * time.Minute)
	n.keys.Maintain(t.Context())
	if got := n.issue(t, ask(n)).SigningKey; got != next[0] {
		t.Errorf("signed by %s, want %s", got, next[0])
	}
	if err := n.verify(t, plain(n), first.Token); !errors.Is(err, token.ErrExpired) {
		t.Errorf("a token an hour old: %v, want ErrExpired", err)
	}
}

func TestDistrust(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	n, far := h.newNode(t, token.KeysOptions{}), h.newNode(t, token.KeysOptions{})
	bad := n.issue(t, ask(n))
	if err := far.verify(t, plain(n), bad.Token); err != nil {
		t.Fatal(err)
	}
	n.keys.Maintain(t.Context()) // makes the next one
	next := n.states(t, "plain")[token.Next][0]

	if _, err := n.keys.Distrust(t.Context(), n.other.ID, bad.SigningKey, event("signing_key.distrust")); !errors.Is(err, token.ErrNotFound) {
		t.Errorf("under another tenant: %v, want ErrNotFound", err)
	}
	change, err := n.keys.Distrust(t.Context(), n.tenant.ID, bad.SigningKey, event("signing_key.distrust"))
	if err != nil || change == 0 {
		t.Fatalf("change %d, %v", change, err)
	}
	if err := n.verify(t, plain(n), bad.Token); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("here: %v, want a refusal", err)
	}
	far.applied(t, change)
	looks := far.store.looks.Load()
	if err := far.verify(t, plain(n), bad.Token); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("another node that has applied the change: %v, want a refusal", err)
	}
	if far.store.looks.Load() == looks {
		t.Error("refused without having looked")
	}
	if set := jwks(t, far); len(set.Key(bad.SigningKey)) != 0 {
		t.Error("a distrusted key is published")
	}
	good := far.issue(t, ask(far))
	if good.SigningKey != next {
		t.Errorf("signed by %s, want the next key %s", good.SigningKey, next)
	}
	if err := n.verify(t, plain(n), good.Token); err != nil {
		t.Errorf("the next key's token: %v", err)
	}
	if _, err := n.keys.Seal(t.Context(), n.tenant.ID, bad.SigningKey, event("signing_key.seal")); err != nil {
		t.Errorf("seal: %v", err)
	}
	if _, err := n.keys.Seal(t.Context(), n.tenant.ID, good.SigningKey, event("signing_key.seal")); !errors.Is(err, token.ErrKeyState) {
		t.Errorf("sealed the active key: %v, want ErrKeyState", err)
	}
}

// What is at rest does not give the private half away.
func TestPrivateHalfIsSealed(t *testing.T) {
	t.Parallel()
	n := newHouse(t).newNode(t, token.KeysOptions{})
	n.issue(t, ask(n))
	rows, err := n.house.store.SigningKeys(t.Context(), n.tenant.ID)
	if err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
	if len(rows[0].Private) == 0 {
		t.Fatal("no private half")
	}
	for i := range rows[0].Private {
		if _, err := x509.ParsePKCS8PrivateKey(rows[0].Private[i:]); err == nil {
			t.Fatal("the private half stands open")
		}
	}
}

func TestStoreDown(t *testing.T) {
	t.Parallel()
	n := newHouse(t).newNode(t, token.KeysOptions{})
	out := n.issue(t, ask(n))
	n.store.down.Store(true)
	n.pass(20 * time.Second)
	if _, _, err := n.keys.Sign(t.Context(), n.tenant.ID, signing(n)); err != nil {
		t.Errorf("within the lease: %v", err)
	}
	n.pass(time.Minute)
	_, _, err := n.keys.Sign(t.Context(), n.tenant.ID, signing(n))
	if !errors.Is(err, errDown) {
		t.Errorf("later: %v, want the store's error", err)
	}
	if err := n.verify(t, plain(n), out.Token); !errors.Is(err, errDown) || errors.Is(err, token.ErrInvalid) {
		t.Errorf("verify: %v, want no verdict", err)
	}
}

func signing(n *node) token.Signing {
	return token.Signing{Use: "plain", Alg: token.ES256, Claims: []byte("{}"), Expires: n.now().Add(time.Minute)}
}

func TestSignRefusesLongLives(t *testing.T) {
	t.Parallel()
	n := newHouse(t).newNode(t, token.KeysOptions{})
	s := signing(n)
	s.Expires = n.now().Add(25 * time.Hour)
	if _, _, err := n.keys.Sign(t.Context(), n.tenant.ID, s); err == nil {
		t.Error("signed a token that outlives its key")
	}
}

func TestDocument(t *testing.T) {
	t.Parallel()
	n := newHouse(t).newNode(t, token.KeysOptions{})
	n.issue(t, ask(n))
	s := signing(n)
	s.Use = token.UseIdentity
	if _, _, err := n.keys.Sign(t.Context(), n.tenant.ID, s); err != nil {
		t.Fatal(err)
	}
	all, identity := jwks(t, n), jwks(t, n, token.UseIdentity)
	if len(all.Keys) != 1 || len(identity.Keys) != 1 || all.Keys[0].KeyID == identity.Keys[0].KeyID {
		t.Errorf("token keys %d, identity keys %d; want one each", len(all.Keys), len(identity.Keys))
	}
	a, _ := n.keys.Document(t.Context(), n.tenant.ID)
	b, _ := n.keys.Document(t.Context(), n.tenant.ID)
	if a.ETag != b.ETag || a.MaxAge <= 0 || a.MaxAge > 10*time.Minute/2 {
		t.Errorf("ETag %s, then %s; max-age %v", a.ETag, b.ETag, a.MaxAge)
	}
	if _, err := n.keys.Rotate(t.Context(), n.tenant.ID, "plain", token.ES256, true, event("x")); err != nil {
		t.Fatal(err)
	}
	if c, _ := n.keys.Document(t.Context(), n.tenant.ID); c.ETag == a.ETag {
		t.Error("other keys have the same ETag")
	}
	if other, err := n.keys.JWKS(t.Context(), n.other.ID); err != nil || string(other) != `{"keys":[]}` {
		t.Errorf("another tenant's keys: %s, %v", other, err)
	}
}

// Signatures wait for their turn; what can be refused by reading does not.
func TestVerificationsAreBounded(t *testing.T) {
	t.Parallel()
	n := newHouse(t).newNode(t, token.KeysOptions{})
	out := n.issue(t, ask(n))
	n.verifier.Turns = fair.NewQueue(1, 0)
	leave, err := n.verifier.Turns.Enter(t.Context(), "somebody")
	if err != nil {
		t.Fatal(err)
	}
	if err := n.verify(t, plain(n), out.Token); !errors.Is(err, fair.ErrBusy) || errors.Is(err, token.ErrInvalid) {
		t.Errorf("without a turn: %v, want ErrBusy and no verdict", err)
	}
	n.pass(2 * time.Hour)
	if err := n.verify(t, plain(n), out.Token); !errors.Is(err, token.ErrExpired) {
		t.Errorf("expired, without a turn: %v, want ErrExpired", err)
	}
	n.pass(-2 * time.Hour)
	leave()
	if err := n.verify(t, plain(n), out.Token); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := n.verifier.VerifyJWT(ctx, n.tenant, plain(n), out.Token, somewhere); !errors.Is(err, context.Canceled) {
		t.Errorf("ended context: %v", err)
	}
}
