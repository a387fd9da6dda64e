package gateidentity

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestVerify(t *testing.T) {
	t.Parallel()
	good := newSigner(t, "k1")
	v := newVerifier(t, newJWKS(t, good).URL, nil)

	want := Identity{
		Principal: "p_1", Tenant: "ten_1", TenantName: "default", Name: "Ada", Kind: "user",
		Roles: []string{"reader"}, Scopes: []string{"site:read"},
		Credential: "c_1", Secret: "2", Dialect: "gateway", Method: "key", Issuer: testIssuer,
	}
	token := good.sign(nil, nil)
	for range 2 { // the second answer comes from memory
		got, err := v.Verify(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Identity{}, "IssuedAt", "ExpiresAt")); diff != "" {
			t.Errorf("identity (-want +got):\n%s", diff)
		}
		if life := got.ExpiresAt.Sub(got.IssuedAt); life != time.Minute {
			t.Errorf("life = %v", life)
		}
		got.Roles[0] = "changed by a handler"
	}
	if _, err := v.Verify(t.Context(), good.sign(nil, map[string]any{"aud": []string{"x", testAudience}})); err != nil {
		t.Errorf("audience in a list: %v", err)
	}
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	good, stranger := newSigner(t, "k1"), newSigner(t, "k1")
	v := newVerifier(t, newJWKS(t, good).URL, nil)
	token := good.sign(nil, nil)
	head, rest, _ := strings.Cut(token, ".")
	body, sig, _ := strings.Cut(rest, ".")
	now := time.Now().Unix()
	type m = map[string]any
	zeros := base64.RawURLEncoding.EncodeToString(make([]byte, 64))

	for name, c := range map[string]struct {
		token string
		want  error
	}{
		"nothing":              {"", ErrMissing},
		"one part":             {head, ErrMalformed},
		"two parts":            {head + "." + body, ErrMalformed},
		"four parts":           {token + "." + sig, ErrMalformed},
		"too long":             {token + strings.Repeat("A", maxToken), ErrMalformed},
		"line break":           {head + "\n." + body + "." + sig, ErrMalformed},
		"padding":              {head + "." + body + "." + sig + "=", ErrMalformed},
		"short signature":      {head + "." + body + "." + sig[:40], ErrMalformed},
		"alg none":             {good.sign(m{"alg": "none"}, nil), ErrMalformed},
		"alg none, no sig":     {good.sign(m{"alg": "none"}, nil)[:len(head)+1+len(body)] + ".", ErrMalformed},
		"alg HS256":            {good.sign(m{"alg": "HS256"}, nil), ErrMalformed},
		"no typ":               {good.sign(m{"typ": nil}, nil), ErrMalformed},
		"typ of an access JWT": {good.sign(m{"typ": "at+jwt"}, nil), ErrMalformed},
		"no kid":               {good.sign(m{"kid": nil}, nil), ErrMalformed},
		"crit":                 {good.sign(m{"crit": []string{"b64"}}, nil), ErrMalformed},
		"unknown kid":          {good.sign(m{"kid": "k2"}, nil), ErrKey},
		"stranger's key":       {stranger.sign(nil, nil), ErrSignature},
		"zero signature":       {head + "." + body + "." + zeros, ErrSignature},
		"payload changed":      {head + "." + strings.Split(good.sign(nil, m{"sub": "root"}), ".")[1] + "." + sig, ErrSignature},
		"other issuer":         {good.sign(nil, m{"iss": "https://other"}), ErrClaims},
		"other audience":       {good.sign(nil, m{"aud": "billing"}), ErrClaims},
		"no audience":          {good.sign(nil, m{"aud": nil}), ErrClaims},
		"no subject":           {good.sign(nil, m{"sub": nil}), ErrClaims},
		"no tenant":            {good.sign(nil, m{"tenant": nil}), ErrClaims},
		"expired":              {good.sign(nil, m{"exp": now - 6}), ErrExpired},
		"no expiry":            {good.sign(nil, m{"exp": nil}), ErrExpired},
		"from the future":      {good.sign(nil, m{"iat": now + 60, "exp": now + 120}), ErrExpired},
		"payload not claims":   {good.sign(nil, m{"roles": "all"}), ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id, err := v.Verify(t.Context(), c.token)
			if !errors.Is(err, c.want) {
				t.Errorf("error = %v, want %v", err, c.want)
			}
			if errors.Is(err, ErrExpired) {
				return
			}
			if diff := cmp.Diff(Identity{}, id); diff != "" {
				t.Errorf("an identity came with the error:\n%s", diff)
			}
		})
	}
}

// TestRememberedTokenStillExpires would pass a token for ever if the times of
// a remembered one were not looked at.
func TestRememberedTokenStillExpires(t *testing.T) {
	t.Parallel()
	key, c := newSigner(t, "k1"), &clock{}
	v := newVerifier(t, newJWKS(t, key).URL, c)
	token := key.sign(nil, nil)
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	c.advance(66 * time.Second)
	if _, err := v.Verify(t.Context(), token); !errors.Is(err, ErrExpired) {
		t.Errorf("error = %v, want ErrExpired", err)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]Config{
		"relative URL": {JWKSURL: "/jwks.json", Issuer: "i", Audience: "a"},
		"file URL":     {JWKSURL: "file:///etc/passwd", Issuer: "i", Audience: "a"},
		"no issuer":    {JWKSURL: "https://gate/jwks.json", Audience: "a"},
		"no audience":  {JWKSURL: "https://gate/jwks.json", Issuer: "i"},
		"leeway":       {JWKSURL: "https://gate/jwks.json", Issuer: "i", Audience: "a", Leeway: -1},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	m := newMemory()
	for i := range 5 * perGeneration {
		m.put(string(rune(i)), Identity{}, 0)
	}
	if n := len(m.young) + len(m.old); n > 2*perGeneration {
		t.Errorf("%d tokens remembered", n)
	}
}

func FuzzParse(f *testing.F) {
	key := newSigner(f, "k1")
	f.Add(key.sign(nil, nil))
	f.Add("a.b.c")
	f.Add("..")
	f.Add("eyJhbGciOiJFUzI1NiJ9.e30.")
	f.Fuzz(func(t *testing.T, token string) {
		p, err := parse(token)
		if err != nil {
			return
		}
		if !strings.HasPrefix(token, p.signed+".") || len(p.signature) != signatureSize || p.kid == "" {
			t.Errorf("parse(%q) = %+v", token, p)
		}
		p.verify(&key.key.PublicKey) // must not panic on any signature,
		p.identity()                 // nor on any payload
	})
}

func BenchmarkVerify(b *testing.B) {
	key := newSigner(b, "k1")
	v := newVerifier(b, newJWKS(b, key).URL, nil)
	token := key.sign(nil, nil)
	b.Run("remembered", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.Verify(b.Context(), token); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("first", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			v.seen.clear(v.seen.generation)
			if _, err := v.Verify(b.Context(), token); err != nil {
				b.Fatal(err)
			}
		}
	})
}
