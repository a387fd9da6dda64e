package app_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/go-jose/go-jose/v4"

	"gatehouse.dev/client/acqueon"
	"gatehouse.dev/internal/app/apptest"
)

// otherIssuer is an authorisation server that knows nothing of us but our name.
type otherIssuer struct {
	*httptest.Server
	signer jose.Signer
}

func newOtherIssuer(t *testing.T) *otherIssuer {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key := jose.JSONWebKey{Key: private, KeyID: "k1", Algorithm: "ES256"}
	i := &otherIssuer{}
	if i.signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{}).WithType("at+jwt")); err != nil {
		t.Fatal(err)
	}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/keys":
			json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}})
		case r.URL.Path == "/introspect" && r.PostFormValue("token") == "a-reference-token":
			json.NewEncoder(w).Encode(i.claims("wallboard", "performance-metrics", map[string]any{"active": true}))
		default:
			json.NewEncoder(w).Encode(map[string]any{"active": false})
		}
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *otherIssuer) claims(sub, scope string, more map[string]any) map[string]any {
	now := time.Now()
	c := map[string]any{"iss": i.URL, "aud": "gatehouse", "sub": sub, "scope": scope, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	for name, value := range more {
		c[name] = value
	}
	return c
}

func (i *otherIssuer) token(t *testing.T, sub, scope string) string {
	t.Helper()
	text, err := json.Marshal(i.claims(sub, scope, nil))
	if err != nil {
		t.Fatal(err)
	}
	jws, err := i.signer.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	out, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func startWithIssuer(t *testing.T) (*apptest.House, *otherIssuer) {
	t.Helper()
	i := newOtherIssuer(t)
	own := filepath.Join(t.TempDir(), "own.secret")
	if err := os.WriteFile(own, []byte("own secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return apptest.Start(t, apptest.Options{
		Dialects: plainAcqueon,
		Tenant: fmt.Sprintf(`issuers:
  - issuer: %q
    audience: gatehouse
    keys_url: %q
    algorithms: [ES256]
    principal: client/{sub}
    introspection: {url: %q, client_id: us, client_secret_file: %q}
`, i.URL, i.URL+"/keys", i.URL+"/introspect", own),
	}), i
}

// TestOtherIssuer opens dashboards with the tokens of another issuer, a JWT and
// one that is only known there, and ends them by what is ours to take away.
func TestOtherIssuer(t *testing.T) {
	t.Parallel()
	h, issuer := startWithIssuer(t)
	wall := h.Admin.Client(t, "wallboard", "acqueon/viewer", "feed/publisher")
	watch := func(tok string) *board {
		return watchBoard(t.Context(), h, acqueon.Token(func(context.Context) (string, error) { return tok, nil }))
	}
	signed := issuer.token(t, "wallboard", "performance-metrics")
	for name, tok := range map[string]string{
		"another scope": issuer.token(t, "wallboard", "email"),
		"nobody here":   issuer.token(t, "nobody", "performance-metrics"),
		"forged":        signed[:len(signed)-8] + "AAAAAAAA",
		"unknown there": "some-other-reference",
	} {
		if code, err := watch(tok).end(t); err != acqueon.ErrRefused && code != websocket.StatusPolicyViolation {
			t.Errorf("%s: %v, want refused", name, err)
		}
	}

	one := watch(signed)
	one.report(t, "LineReport")
	var receipt apptest.Receipt
	h.Admin.Post(t, "/v1/tokens/revoke", map[string]string{"token": signed}, &receipt)
	if code, err := one.end(t); code != websocket.StatusPolicyViolation || receipt.Closed() != 1 {
		t.Errorf("revoked token: ended with %v, receipt %+v", err, receipt)
	}
	if _, err := watch(signed).end(t); err != acqueon.ErrRefused {
		t.Errorf("the revoked token: %v", err)
	}

	two := watch(issuer.token(t, "wallboard", "performance-metrics more"))
	three := &board{reports: make(chan acqueon.Report, 100), ended: make(chan error, 1)}
	client := &acqueon.Client{
		URL: socketURL(h), User: "another", Zone: time.UTC, // names are borne by one at a time
		Credential: acqueon.Token(func(context.Context) (string, error) { return "a-reference-token", nil }),
	}
	go func() { three.ended <- client.Once(t.Context(), func(r acqueon.Report) { three.reports <- r }) }()
	two.report(t, "LineReport")
	three.report(t, "LineReport")
	h.Admin.Post(t, "/v1/clients/"+wall+"/disable", nil, &receipt)
	for _, b := range []*board{two, three} {
		if code, err := b.end(t); code != websocket.StatusPolicyViolation {
			t.Errorf("disabled principal: %v", err)
		}
	}
	if receipt.Closed() != 2 {
		t.Errorf("receipt %+v", receipt)
	}
}

// A foreign bearer token passes wherever ours do, as far as its scopes go.
func TestOtherIssuerBearer(t *testing.T) {
	t.Parallel()
	h, issuer := startWithIssuer(t)
	h.Admin.Client(t, "wallboard", "feed/publisher")
	for scope, want := range map[string]int{"feed:publish": 204, "performance-metrics": 403} {
		req, err := http.NewRequestWithContext(t.Context(), "PUT", h.Gate+"/-/feeds/metrics/reports/R", strings.NewReader("[]"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+issuer.token(t, "wallboard", scope))
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("scope %s: %s, want %d", scope, res.Status, want)
		}
	}
}
