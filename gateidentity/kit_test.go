package gateidentity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	testIssuer   = "https://gate.example/identity"
	testAudience = "sites"
)

// signer is a gate as a backend sees it: keys, a JWKS, and tokens.
type signer struct {
	kid string
	key *ecdsa.PrivateKey
}

func newSigner(t testing.TB, kid string) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signer{kid, key}
}

func (s signer) jwk() map[string]any {
	point, err := s.key.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	enc := base64.RawURLEncoding.EncodeToString
	return map[string]any{
		"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256",
		"kid": s.kid, "x": enc(point[1:33]), "y": enc(point[33:]),
	}
}

// sign makes a token of a standard header and claims, changed as told; a nil
// value removes the member.
func (s signer) sign(header, claims map[string]any) string {
	now := time.Now().Unix()
	h := map[string]any{"alg": "ES256", "typ": Type, "kid": s.kid}
	c := map[string]any{
		"iss": testIssuer, "aud": testAudience, "iat": now, "exp": now + 60,
		"sub": "p_1", "tenant": "ten_1", "tenant_name": "default", "name": "Ada", "kind": "user",
		"roles": []string{"reader"}, "scopes": []string{"site:read"},
		"credential": "c_1", "secret": "2", "dialect": "gateway", "method": "key",
	}
	return s.signRaw(merge(h, header), merge(c, claims))
}

func (s signer) signRaw(header, claims map[string]any) string {
	enc := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	signed := enc(header) + "." + enc(claims)
	sum := sha256.Sum256([]byte(signed))
	r, v, err := ecdsa.Sign(rand.Reader, s.key, sum[:])
	if err != nil {
		panic(err)
	}
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	v.FillBytes(sig[32:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func merge(base, change map[string]any) map[string]any {
	out := maps.Clone(base)
	for k, v := range change {
		if v == nil {
			delete(out, k)
		} else {
			out[k] = v
		}
	}
	return out
}

// jwksServer publishes keys and counts how often it is asked.
type jwksServer struct {
	*httptest.Server
	fetches atomic.Int32
	mu      sync.Mutex
	body    any
	status  int
}

func newJWKS(t testing.TB, signers ...signer) *jwksServer {
	t.Helper()
	s := &jwksServer{status: http.StatusOK}
	s.publish(signers...)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fetches.Add(1)
		s.mu.Lock()
		defer s.mu.Unlock()
		w.WriteHeader(s.status)
		json.NewEncoder(w).Encode(s.body)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *jwksServer) publish(signers ...signer) {
	keys := []any{map[string]any{"kty": "RSA", "kid": "other", "n": "AQAB", "e": "AQAB"}}
	for _, k := range signers {
		keys = append(keys, k.jwk())
	}
	s.set(http.StatusOK, map[string]any{"keys": keys})
}

func (s *jwksServer) set(status int, body any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.body = status, body
}

// clock is set by hand.
type clock struct {
	mu  sync.Mutex
	off time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.off)
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off += d
}

func newVerifier(t testing.TB, url string, c *clock) *Verifier {
	t.Helper()
	cfg := Config{JWKSURL: url, Issuer: testIssuer, Audience: testAudience}
	if c != nil {
		cfg.Now = c.now
	}
	v, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
