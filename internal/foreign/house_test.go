package foreign_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/foreign"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/tenant"
	"gatehouse.dev/internal/token"
)

const (
	audience = "gatehouse"
	ourID    = "gate: house" // a client id that has to be encoded
	ourOwn   = "own secret"
)

var home = tenant.Tenant{ID: "ten_1", Number: 1001, Name: "default", Enabled: true}

// idp is another issuer, on a real listener.
type idp struct {
	*httptest.Server
	mu     sync.Mutex
	set    jose.JSONWebKeySet
	active map[string]map[string]any // opaque tokens, and what is said of them
	asked  map[string]int            // by path
	down   bool
	order  []string      // tokens in the order in which they were asked about
	slow   chan struct{} // an answer for each that it gives; nil: at once
}

func newIDP(t *testing.T) *idp {
	i := &idp{active: map[string]map[string]any{}, asked: map[string]int{}}
	i.Server = httptest.NewServer(i)
	t.Cleanup(i.Close)
	return i
}

func (i *idp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.asked[r.URL.Path]++
	i.order = append(i.order, r.PostFormValue("token"))
	slow := i.slow
	i.mu.Unlock()
	if slow != nil {
		select {
		case <-slow:
		case <-r.Context().Done():
			return
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.down:
		http.Error(w, "down", http.StatusInternalServerError)
	case r.URL.Path == "/keys":
		json.NewEncoder(w).Encode(i.set)
	case r.URL.Path == "/moved":
		http.Redirect(w, r, "/keys", http.StatusFound)
	case r.URL.Path == "/introspect" && r.Method == http.MethodPost:
		id, own, _ := r.BasicAuth()
		if id != "gate%3A+house" || own != "own+secret" { // RFC 6749 section 2.3.1
			http.Error(w, "who are you", http.StatusUnauthorized)
			return
		}
		said := i.active[r.PostFormValue("token")]
		if said == nil {
			said = map[string]any{"active": false}
		}
		json.NewEncoder(w).Encode(said)
	default:
		http.NotFound(w, r)
	}
}

func (i *idp) change(f func()) { i.mu.Lock(); defer i.mu.Unlock(); f() }

func (i *idp) questions(path string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked[path]
}

// key makes a signing key and publishes it.
func (i *idp) key(kid string, alg jose.SignatureAlgorithm) jose.JSONWebKey {
	var private crypto.Signer
	if alg == jose.ES256 {
		private, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	} else {
		private, _ = rsa.GenerateKey(rand.Reader, 2048)
	}
	i.change(func() {
		i.set.Keys = append(i.set.Keys, jose.JSONWebKey{Key: private.Public(), KeyID: kid, Use: "sig"})
	})
	return jose.JSONWebKey{Key: private, KeyID: kid, Algorithm: string(alg)}
}

// claims of a good token, changed.
func (i *idp) claims(change ...func(map[string]any)) map[string]any {
	now := time.Now()
	c := map[string]any{
		"iss": i.URL, "aud": []string{"other", audience}, "sub": "ada", "iat": now.Unix(),
		"exp": now.Add(time.Hour).Unix(), "scope": "performance-metrics x",
	}
	for _, f := range change {
		f(c)
	}
	return c
}

func set(name string, value any) func(map[string]any) {
	return func(c map[string]any) { c[name] = value }
}

func drop(name string) func(map[string]any) { return func(c map[string]any) { delete(c, name) } }

func sign(t *testing.T, key jose.JSONWebKey, claims map[string]any, typ string) secret.Text {
	t.Helper()
	o := (&jose.SignerOptions{}).WithType(jose.ContentType(typ))
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(key.Algorithm), Key: key}, o)
	must(t, err)
	text, err := json.Marshal(claims)
	must(t, err)
	jws, err := s.Sign(text)
	must(t, err)
	out, err := jws.CompactSerialize()
	must(t, err)
	return secret.New(out)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// shelf has one user, and what was revoked.
type shelf struct {
	mu      sync.Mutex
	revoked map[string]bool
}

func (s *shelf) PrincipalByName(_ context.Context, tenantID string, k principal.Kind, name string) (principal.Principal, error) {
	if tenantID == home.ID && k == principal.User && (name == "ada" || name == "partner") {
		return principal.Principal{ID: "usr_" + name, Tenant: tenantID}, nil
	}
	return principal.Principal{}, principal.ErrNotFound
}

func (s *shelf) TokenRevoked(_ context.Context, hash string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.revoked[hash], nil
}

func (s *shelf) RevokeToken(_ context.Context, r token.RevokedToken, _ audit.Event) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked[r.Hash] = true
	return 1, nil
}

// ours knows no tokens.
type ours struct{}

var errOurs = errors.New("asked ourselves")

func (ours) VerifyJWT(context.Context, tenant.Tenant, *token.Profile, secret.Text, netip.Addr) (token.Verified, error) {
	return token.Verified{}, errOurs
}

func (ours) VerifyOpaque(context.Context, tenant.Tenant, secret.Text, netip.Addr) (token.Verified, error) {
	return token.Verified{}, errOurs
}

func (ours) Issue(context.Context, token.Opaque, time.Duration, ...audit.Event) (secret.Text, token.Opaque, error) {
	return secret.Text{}, token.Opaque{}, errOurs
}

// open says that something rests on every token.
type open struct{}

func (open) Rests(revocation.Ground) bool { return true }

// clock goes when it is told to.
type clock struct {
	mu sync.Mutex
	at time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.at)
}

func (c *clock) pass(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.at += d }

// site is a service that believes the tokens of one issuer.
type site struct {
	*foreign.Service
	idp   *idp
	shelf *shelf
	clock *clock
}

func newSite(t *testing.T, change ...func(*foreign.Config)) *site {
	t.Helper()
	s := &site{idp: newIDP(t), shelf: &shelf{revoked: map[string]bool{}}, clock: &clock{}}
	c := foreign.Config{
		Tenant: home.ID, Issuer: s.idp.URL, Audience: audience, Keys: s.idp.URL + "/keys",
		Algorithms: []string{"RS256", "ES256"}, Principal: "user/{sub}",
	}
	for _, f := range change {
		f(&c)
	}
	var err error
	s.Service, err = foreign.New(foreign.Options{
		Issuers: []foreign.Config{c}, Store: s.shelf, JWTs: ours{}, Opaques: ours{}, Live: open{}, Now: s.clock.now,
	})
	must(t, err)
	return s
}

func introspected(c *foreign.Config) {
	c.Keys, c.Algorithms = "", nil
	c.Introspection = &foreign.Introspection{
		URL: c.Issuer + "/introspect", ClientID: ourID, Secret: func() (secret.Text, error) { return secret.New(ourOwn), nil },
	}
}

func (s *site) jwt(t *testing.T, tok secret.Text) (token.Verified, error) {
	t.Helper()
	return s.VerifyJWT(t.Context(), home, nil, tok, netip.Addr{})
}

func (s *site) opaque(t *testing.T, tok string) (token.Verified, error) {
	t.Helper()
	return s.VerifyOpaque(t.Context(), home, secret.New(tok), netip.Addr{})
}
