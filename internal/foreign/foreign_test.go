package foreign_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/foreign"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/tenant"
	"gatehouse.dev/internal/token"
)

func TestJWT(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, alg := range []jose.SignatureAlgorithm{jose.RS256, jose.ES256} {
		tok := sign(t, s.idp.key(string(alg), alg), s.idp.claims(), "at+jwt")
		if alg == jose.ES256 {
			s.clock.pass(time.Minute) // past what keeps keys from being fetched in a flood
		}
		v, err := s.jwt(t, tok)
		must(t, err)
		if v.Principal != "usr_ada" || v.Tenant != home.ID || v.Hash != token.Hash(tok) || !cmp.Equal(v.Scopes, []string{"performance-metrics", "x"}) {
			t.Errorf("believed as %+v", v)
		}
		if left := v.Until.Sub(s.clock.now()); left <= 0 || left > time.Minute {
			t.Errorf("to be remembered for %v", left)
		}
	}
}

func TestJWTRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	key := s.idp.key("a", jose.RS256)
	stranger := newIDP(t).key("a", jose.RS256)
	es384 := key
	es384.Algorithm = "RS384"
	unsigned := func() secret.Text {
		body, _ := json.Marshal(s.idp.claims())
		return secret.New(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(body) + ".AA")
	}
	// The public key as a secret for HMAC: the oldest trick.
	public, err := key.Public().MarshalJSON()
	must(t, err)
	hmac := jose.JSONWebKey{Key: public, KeyID: "a", Algorithm: "HS256"}
	past, future := time.Now().Add(-time.Hour).Unix(), time.Now().Add(time.Hour).Unix()
	for name, c := range map[string]struct {
		tok  secret.Text
		want error
	}{
		"OtherKey":      {sign(t, stranger, s.idp.claims(), "JWT"), token.ErrSignature},
		"AlgNotPinned":  {sign(t, es384, s.idp.claims(), "JWT"), token.ErrProfile},
		"None":          {unsigned(), token.ErrProfile},
		"HMAC":          {sign(t, hmac, s.idp.claims(), "JWT"), token.ErrProfile},
		"OtherType":     {sign(t, key, s.idp.claims(), "logout+jwt"), token.ErrProfile},
		"OtherAudience": {sign(t, key, s.idp.claims(set("aud", "other")), "JWT"), token.ErrClaims},
		"NoAudience":    {sign(t, key, s.idp.claims(drop("aud")), "JWT"), token.ErrClaims},
		"Expired":       {sign(t, key, s.idp.claims(set("exp", past)), "JWT"), token.ErrExpired},
		"NoExpiry":      {sign(t, key, s.idp.claims(drop("exp")), "JWT"), token.ErrClaims},
		"NotYet":        {sign(t, key, s.idp.claims(set("nbf", future)), "JWT"), token.ErrNotYet},
		"FromTheFuture": {sign(t, key, s.idp.claims(set("iat", future), set("exp", future+60)), "JWT"), token.ErrNotYet},
		"NobodyHere":    {sign(t, key, s.idp.claims(set("sub", "eve")), "JWT"), token.ErrClaims},
		"NoName":        {sign(t, key, s.idp.claims(drop("sub")), "JWT"), token.ErrClaims},
		"CasedName":     {sign(t, key, s.idp.claims(set("sub", "Ada")), "JWT"), token.ErrClaims},
		"BlankedName":   {sign(t, key, s.idp.claims(set("sub", " ada ")), "JWT"), token.ErrClaims},
		"OtherIssuer":   {sign(t, key, s.idp.claims(set("iss", s.idp.URL+"/")), "JWT"), errOurs},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := s.jwt(t, c.tok); !errors.Is(err, c.want) {
				t.Errorf("error = %v, want %v", err, c.want)
			}
		})
	}
	t.Run("OtherTenant", func(t *testing.T) {
		t.Parallel()
		other := tenant.Tenant{ID: "ten_2", Enabled: true}
		if _, err := s.VerifyJWT(t.Context(), other, nil, sign(t, key, s.idp.claims(), "JWT"), netip.Addr{}); err == nil {
			t.Error("believed in another tenant")
		}
	})
}

// A token without scopes may do nothing, unless the operator says otherwise.
func TestScopes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change   func(map[string]any)
		unscoped bool
		want     []string
	}{
		"None":     {drop("scope"), false, []string{}},
		"List":     {func(c map[string]any) { delete(c, "scope"); c["scp"] = []string{"a", "b"} }, false, []string{"a", "b"}},
		"Unscoped": {set("scope", "a"), true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, func(o *foreign.Config) { o.Unscoped = c.unscoped })
			v, err := s.jwt(t, sign(t, s.idp.key("a", jose.RS256), s.idp.claims(c.change), "JWT"))
			must(t, err)
			if diff := cmp.Diff(c.want, v.Scopes); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFixedPrincipal(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *foreign.Config) { c.Principal = "user/partner" })
	v, err := s.jwt(t, sign(t, s.idp.key("a", jose.RS256), s.idp.claims(set("sub", "whoever")), "JWT"))
	if err != nil || v.Principal != "usr_partner" {
		t.Errorf("%q, %v", v.Principal, err)
	}
}

// A new key is found when a token names it, but strangers cannot make us fetch
// in a flood; a key that is gone is not believed for long.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	old := s.idp.key("old", jose.RS256)
	oldToken := sign(t, old, s.idp.claims(), "JWT")
	if _, err := s.jwt(t, oldToken); err != nil {
		t.Fatal(err)
	}
	fresh := sign(t, s.idp.key("new", jose.RS256), s.idp.claims(), "JWT")
	for range 20 { // at once after the last fetch: not yet
		if _, err := s.jwt(t, fresh); !errors.Is(err, token.ErrKey) {
			t.Fatal(err)
		}
	}
	if n := s.idp.questions("/keys"); n != 1 {
		t.Errorf("fetched %d times", n)
	}
	s.clock.pass(11 * time.Second)
	if _, err := s.jwt(t, fresh); err != nil {
		t.Errorf("the new key: %v", err)
	}
	s.idp.change(func() { s.idp.set.Keys = s.idp.set.Keys[1:] })
	s.clock.pass(5*time.Minute + time.Second)
	if _, err := s.jwt(t, oldToken); !errors.Is(err, token.ErrKey) {
		t.Errorf("the key that is gone: %v", err)
	}
}

// An issuer that is away does not matter for a while, and then nothing is
// believed: no verdict, so that nobody is told that a token is bad.
func TestKeysStale(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	tok := sign(t, s.idp.key("a", jose.RS256), s.idp.claims(set("exp", time.Now().Add(3*time.Hour).Unix())), "JWT")
	if _, err := s.jwt(t, tok); err != nil {
		t.Fatal(err)
	}
	s.idp.change(func() { s.idp.down = true })
	s.clock.pass(50 * time.Minute)
	if _, err := s.jwt(t, tok); err != nil {
		t.Errorf("after 50 minutes: %v", err)
	}
	s.clock.pass(11 * time.Minute)
	if _, err := s.jwt(t, tok); err == nil || errors.Is(err, token.ErrInvalid) {
		t.Errorf("after 61 minutes: %v, want no verdict", err)
	}
}

func TestKeysFromFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys.json")
	s := newSite(t, func(c *foreign.Config) { c.Keys = file })
	key := s.idp.key("", jose.RS256)
	text, err := json.Marshal(s.idp.set)
	must(t, err)
	must(t, os.WriteFile(file, text, 0o600))
	if _, err := s.jwt(t, sign(t, key, s.idp.claims(), "JWT")); err != nil {
		t.Error(err)
	}
}

// Nobody is led elsewhere: neither by a redirect nor by what a token says.
func TestNoDetours(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *foreign.Config) { c.Keys = c.Issuer + "/moved" })
	if _, err := s.jwt(t, sign(t, s.idp.key("a", jose.RS256), s.idp.claims(), "JWT")); err == nil {
		t.Error("followed a redirect")
	}
	if n := s.idp.questions("/keys"); n != 0 {
		t.Errorf("fetched keys %d times", n)
	}
}

func TestIntrospection(t *testing.T) {
	t.Parallel()
	s := newSite(t, introspected)
	s.idp.change(func() {
		s.idp.active["good"] = s.idp.claims(set("active", true))
		s.idp.active["other"] = s.idp.claims(set("active", true), set("aud", "other"))
		s.idp.active["foreign"] = s.idp.claims(set("active", true), set("iss", "https://other.example"))
	})
	v, err := s.opaque(t, "good")
	must(t, err)
	if v.Principal != "usr_ada" || !cmp.Equal(v.Scopes, []string{"performance-metrics", "x"}) || len(v.Hash) != 64 {
		t.Errorf("believed as %+v", v)
	}
	for _, bad := range []string{"unknown", "other", "foreign", "with blank", "ght_ours"} {
		if _, err := s.opaque(t, bad); err == nil {
			t.Errorf("%q is believed", bad)
		}
	}
	before := s.idp.questions("/introspect")
	for range 10 {
		s.opaque(t, "good")
		s.opaque(t, "unknown")
	}
	if n := s.idp.questions("/introspect") - before; n != 0 {
		t.Errorf("asked again %d times", n)
	}
	s.clock.pass(11 * time.Second)
	s.idp.change(func() { s.idp.down = true })
	if _, err := s.opaque(t, "good"); err == nil || errors.Is(err, errOurs) || errors.Is(err, token.ErrInvalid) {
		t.Errorf("with the issuer down: %v, want no verdict", err)
	}
}

// An administrator can end a token of another issuer by its hash.
func TestRevoked(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	tok := sign(t, s.idp.key("a", jose.RS256), s.idp.claims(), "JWT")
	v, err := s.jwt(t, tok)
	must(t, err)
	s.shelf.mu.Lock()
	s.shelf.revoked[v.Hash] = true
	s.shelf.mu.Unlock()
	if _, err := s.jwt(t, tok); !errors.Is(err, token.ErrRevoked) {
		t.Errorf("error = %v", err)
	}
}

// What the issuer takes away is ended here when it is asked again.
func TestReview(t *testing.T) {
	t.Parallel()
	s := newSite(t, introspected)
	s.idp.change(func() { s.idp.active["good"] = s.idp.claims(set("active", true)) })
	v, err := s.opaque(t, "good")
	must(t, err)
	s.Review(t.Context())
	if s.shelf.revoked[v.Hash] {
		t.Fatal("a good token was ended")
	}
	s.idp.change(func() { s.idp.down = true })
	for n := 1; n <= 3; n++ {
		s.Review(t.Context())
		if got, want := s.shelf.revoked[v.Hash], n == 3; got != want {
			t.Errorf("after %d questions without answer: ended %v", n, got)
		}
	}
	s = newSite(t, introspected)
	s.idp.change(func() { s.idp.active["good"] = s.idp.claims(set("active", true)) })
	v, err = s.opaque(t, "good")
	must(t, err)
	s.idp.change(func() { delete(s.idp.active, "good") })
	s.Review(t.Context())
	if !s.shelf.revoked[v.Hash] {
		t.Error("a token that its issuer denies was not ended")
	}
}

func TestConfigRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*foreign.Config){
		"NoAudience":  func(c *foreign.Config) { c.Audience = "" },
		"NoAlgorithm": func(c *foreign.Config) { c.Algorithms = nil },
		"HMAC":        func(c *foreign.Config) { c.Algorithms = []string{"HS256"} },
		"None":        func(c *foreign.Config) { c.Algorithms = []string{"none"} },
		"NoKeys":      func(c *foreign.Config) { c.Keys = "" },
		"Kind":        func(c *foreign.Config) { c.Principal = "{sub}" },
		"Braces":      func(c *foreign.Config) { c.Principal = "user/{a}{b}" },
	} {
		c := foreign.Config{Tenant: "t", Issuer: "i", Audience: "a", Keys: "k", Algorithms: []string{"RS256"}, Principal: "user/{sub}"}
		change(&c)
		if _, err := foreign.New(foreign.Options{Issuers: []foreign.Config{c}}); err == nil || !strings.Contains(err.Error(), "issuer i") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
