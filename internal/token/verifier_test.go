package token_test

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/seal"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/tenant"
	"gatehouse.dev/internal/token"
)

// stolen is the private half of a stored key, as who has both the database and
// the master key could get it.
func stolen(t *testing.T, h *house, id string) *token.PrivateKey {
	t.Helper()
	rows, err := h.store.SigningKeys(t.Context(), h.tenant.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if row.ID != id {
			continue
		}
		der, err := seal.NewKeeper(h.store, h.masters, nil).Open(t.Context(),
			seal.Scope{Tenant: row.Tenant, Purpose: seal.Data}, seal.Row{Table: "signing_keys", Key: id, Column: "private"}, row.Private)
		if err != nil {
			t.Fatal(err)
		}
		key, err := x509.ParsePKCS8PrivateKey(der)
		if err != nil {
			t.Fatal(err)
		}
		private, err := token.NewPrivateKey(id, row.Alg, key.(crypto.Signer))
		if err != nil {
			t.Fatal(err)
		}
		return private
	}
	t.Fatalf("no key %s", id)
	return nil
}

func signWith(t *testing.T, k *token.PrivateKey, typ string, withID bool, claims ...token.Claim) secret.Text {
	t.Helper()
	body, err := token.Encode(claims...)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := k.SignJWT(typ, withID, body)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func times(aud int64, iat, exp time.Time) []token.Claim {
	return []token.Claim{{Name: "aud", Value: aud}, {Name: "exp", Value: exp}, {Name: "iat", Value: iat}}
}

func TestVerifyJWTRefuses(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	n := h.newNode(t, token.KeysOptions{})
	now := n.now()
	good := n.issue(t, ask(n))
	otherUse := ask(n)
	p := *otherUse.Profile
	p.Use, otherUse.Profile = "another", &p
	foreign := n.issue(t, otherUse)
	elsewhere := ask(n)
	elsewhere.Ask.Tenant = n.other.ID // signed by the other tenant's key, for our number
	crossed := n.issue(t, elsewhere)
	unknown, err := token.GenerateKey(good.SigningKey, token.ES256)
	if err != nil {
		t.Fatal(err)
	}
	real := stolen(t, h, good.SigningKey)
	us := n.tenant.Number
	hour := now.Add(time.Hour)

	for name, tt := range map[string]struct {
		tok  secret.Text
		want error
	}{
		"garbage":               {secret.New("garbage"), token.ErrMalformed},
		"key of another use":    {foreign.Token, token.ErrSignature},
		"key of another tenant": {crossed.Token, token.ErrSignature},
		"unknown key":           {signWith(t, unknown, "JWT", false, times(us, now, hour)...), token.ErrSignature},
		"another tenant":        {signWith(t, real, "JWT", false, times(n.other.Number, now, hour)...), token.ErrTenant},
		"no tenant":             {signWith(t, real, "JWT", false, times(0, now, hour)...), token.ErrTenant},
		"aud is text":           {signWith(t, real, "JWT", false, token.Claim{Name: "aud", Value: "1"}), token.ErrClaims},
		"no exp":                {signWith(t, real, "JWT", false, times(us, now, hour)[:1]...), token.ErrClaims},
		"kid where none goes":   {signWith(t, real, "JWT", true, times(us, now, hour)...), token.ErrProfile},
		"another typ":           {signWith(t, real, "at+jwt", false, times(us, now, hour)...), token.ErrProfile},
		"expired":               {signWith(t, real, "JWT", false, times(us, now.Add(-time.Hour), now.Add(-31*time.Second))...), token.ErrExpired},
		"from the future":       {signWith(t, real, "JWT", false, times(us, now.Add(32*time.Second), hour)...), token.ErrNotYet},
		"ends before it begins": {signWith(t, real, "JWT", false, times(us, now, now)...), token.ErrClaims},
		"lives too long":        {signWith(t, real, "JWT", false, times(us, now, now.Add(48*time.Hour))...), token.ErrClaims},
		"older than its key":    {signWith(t, real, "JWT", false, times(us, now.Add(-2*time.Minute), hour)...), token.ErrKey},
		"claims altered":        {altered(t, good.Token), token.ErrSignature},
	} {
		t.Run(name, func(t *testing.T) {
			err := n.verify(t, plain(n), tt.tok)
			if !errors.Is(err, tt.want) || !errors.Is(err, token.ErrInvalid) {
				t.Errorf("error = %v, want %v", err, tt.want)
			}
		})
	}
	if err := n.verify(t, plain(n), good.Token); err != nil {
		t.Errorf("the good one: %v", err)
	}
	skewed := signWith(t, real, "JWT", false, times(us, now.Add(20*time.Second), hour)...)
	if err := n.verify(t, plain(n), skewed); err != nil {
		t.Errorf("a clock 20 s ahead: %v", err)
	}
}

// altered lets a token live for a minute less, under its old signature.
func altered(t *testing.T, tok secret.Text) secret.Text {
	t.Helper()
	parts := strings.Split(tok.Reveal(), ".")
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct{ Aud, Exp, Iat int64 }
	if err := json.Unmarshal(body, &claims); err != nil {
		t.Fatal(err)
	}
	body, err = token.Encode(times(claims.Aud, time.Unix(claims.Iat, 0), time.Unix(claims.Exp-60, 0))...)
	if err != nil {
		t.Fatal(err)
	}
	return secret.New(parts[0] + "." + base64.RawURLEncoding.EncodeToString(body) + "." + parts[2])
}

// Whoever gets hold of a retired key cannot make tokens of today with it.
func TestRetiredKeySignsNothingNew(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	n := h.newNode(t, token.KeysOptions{})
	old := n.issue(t, ask(n))
	key := stolen(t, h, old.SigningKey)
	if _, err := n.keys.Rotate(t.Context(), n.tenant.ID, "plain", token.ES256, true, event("x")); err != nil {
		t.Fatal(err)
	}
	h.pass(5 * time.Minute)
	now := n.now()
	forged := signWith(t, key, "JWT", false, times(n.tenant.Number, now, now.Add(time.Hour))...)
	if err := n.verify(t, plain(n), forged); !errors.Is(err, token.ErrSignature) {
		t.Errorf("error = %v, want ErrSignature", err)
	}
	if err := n.verify(t, plain(n), old.Token); err != nil {
		t.Errorf("what it signed in its time: %v", err)
	}
}

func TestKeyIDChoosesOnlyOwnKeys(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	n := h.newNode(t, token.KeysOptions{})
	r := ask(n)
	p := *r.Profile
	p.KeyID, r.Profile = true, &p
	good := n.issue(t, r)
	if err := n.verify(t, &p, good.Token); err != nil {
		t.Fatal(err)
	}
	now := n.now()
	for name, kid := range map[string]string{
		"unknown": "key_unknown", "path": "../../dev/null", "query": "' OR 1=1 --", "URL": "https://evil.example/k",
	} {
		forger, err := token.GenerateKey(kid, token.ES256)
		if err != nil {
			t.Fatal(err)
		}
		tok := signWith(t, forger, "JWT", true, times(n.tenant.Number, now, now.Add(time.Hour))...)
		if err := n.verify(t, &p, tok); !errors.Is(err, token.ErrKey) {
			t.Errorf("%s: error = %v, want ErrKey", name, err)
		}
	}
}

// Bad tokens do not make us read the store for each.
func TestBadTokensCostNoLooks(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	n := h.newNode(t, token.KeysOptions{})
	n.issue(t, ask(n))
	forger, err := token.GenerateKey("key_x", token.ES256)
	if err != nil {
		t.Fatal(err)
	}
	now := n.now()
	tok := signWith(t, forger, "JWT", false, times(n.tenant.Number, now, now.Add(time.Hour))...)
	before, start := n.store.looks.Load(), time.Now()
	for range 50 {
		if err := n.verify(t, plain(n), tok); !errors.Is(err, token.ErrSignature) {
			t.Fatal(err)
		}
	}
	if looks := n.store.looks.Load() - before; looks > 3+int64(time.Since(start).Seconds()) {
		t.Errorf("%d looks for 50 bad tokens", looks)
	}
}

func TestAccessProfile(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	n := h.newNode(t, token.KeysOptions{})
	p := access(n)
	s := token.Subject{Principal: "cli_1", Credential: "cre_1", Secret: "sec_1", Scopes: []string{"a", "b"}, ID: "tok_1", Grant: "grt_1", ProofKey: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}
	out := n.issue(t, token.Request{
		Ask: token.Ask{Tenant: n.tenant.ID}, Profile: p,
		Claims: func(issued, expires time.Time) []token.Claim {
			s.Issued, s.Expires = issued, expires
			return token.AccessClaims("https://gate.example", "https://api.example", s)
		},
	})
	// Without a profile, the one that fits is found.
	n.verifier.Profiles = func(tenant.Tenant) []*token.Profile { return []*token.Profile{plain(n), p} }
	got, err := n.verifier.VerifyJWT(t.Context(), n.tenant, nil, out.Token, somewhere)
	if err != nil {
		t.Fatal(err)
	}
	s.Tenant = n.tenant.ID
	if diff := cmp.Diff(token.Verified{Subject: s, Hash: out.Hash, SigningKey: out.SigningKey}, got); diff != "" {
		t.Error(diff)
	}
	want := []revocation.Ground{
		{Kind: revocation.Token, ID: out.Hash}, {Kind: revocation.SigningKey, ID: out.SigningKey}, {Kind: revocation.Grant, ID: "grt_1"},
	}
	if diff := cmp.Diff(want, got.Grounds()); diff != "" {
		t.Error(diff)
	}
	for name, wrong := range map[string]*token.Profile{
		"issuer":   token.AccessProfile(n.tenant.ID, "https://evil.example", "https://api.example", time.Hour),
		"audience": token.AccessProfile(n.tenant.ID, "https://gate.example", "https://other.example", time.Hour),
	} {
		if err := n.verify(t, wrong, out.Token); !errors.Is(err, token.ErrClaims) {
			t.Errorf("another %s: %v, want ErrClaims", name, err)
		}
	}
}

func TestRevokeToken(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	n := h.newNode(t, token.KeysOptions{})
	out := n.issue(t, ask(n))
	change, err := h.store.RevokeToken(t.Context(), token.RevokedToken{
		Hash: token.Hash(out.Token), Tenant: n.tenant.ID, Expires: out.Expires,
	}, event("token.revoke"))
	if err != nil || change == 0 {
		t.Fatal(change, err)
	}
	if err := n.verify(t, plain(n), out.Token); !errors.Is(err, token.ErrRevoked) {
		t.Errorf("error = %v, want ErrRevoked", err)
	}
	n.applied(t, change)
	// Whoever asks at once gets one that works, though its claims may be the
	// same but for the second.
	again := n.issue(t, ask(n))
	if err := n.verify(t, plain(n), again.Token); err != nil {
		t.Errorf("the token after: %v", err)
	}
}
