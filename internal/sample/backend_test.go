package sample_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/gateidentity"
	"gatehouse.dev/internal/sample"
)

// gate signs identities as the gate would, and publishes its key.
type gate struct {
	url    string
	signer jose.Signer
}

func newGate(t *testing.T) *gate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jwk := jose.JSONWebKey{Key: key, KeyID: "k1", Algorithm: "ES256", Use: "sig"}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jwk}, (&jose.SignerOptions{}).WithType(gateidentity.Type))
	if err != nil {
		t.Fatal(err)
	}
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{jwk.Public()}})
	}))
	t.Cleanup(keys.Close)
	return &gate{keys.URL, signer}
}

func (g *gate) identity(t *testing.T) string {
	t.Helper()
	now := time.Now().Unix()
	claims := fmt.Sprintf(`{"iss":%q,"aud":"sample","sub":"cli_1","iat":%d,"exp":%d,"tenant":"ten_1","kind":"client","name":"pump","roles":["operator"]}`, g.url, now, now+60)
	signed, err := g.signer.Sign([]byte(claims))
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func backend(t *testing.T, g *gate) string {
	t.Helper()
	v, err := gateidentity.New(gateidentity.Config{JWKSURL: g.url, Issuer: g.url, Audience: "sample"})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(sample.Handler(v))
	t.Cleanup(srv.Close)
	return srv.URL
}

func get(t *testing.T, url, identity string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if identity != "" {
		req.Header.Set(gateidentity.Header, identity)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestBackend(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	url, who := backend(t, g), g.identity(t)

	if status, body := get(t, url+"/v2.0/health", ""); status != 200 || body != "ok\n" {
		t.Errorf("health without identity: %d %q", status, body)
	}
	for _, path := range []string{"/v2.0/site", "/v2.0/user/uiPreferences", "/files/x", "/echo"} {
		if status, _ := get(t, url+path, ""); status != http.StatusUnauthorized {
			t.Errorf("%s without identity: %d, want 401", path, status)
		}
	}

	_, body := get(t, url+"/v2.0/site", who)
	var sites []map[string]any
	if err := json.Unmarshal([]byte(body), &sites); err != nil || len(sites) < 2 {
		t.Fatalf("sites: %v, %s", err, body)
	}
	want := map[string]any{
		"account_organization_id": 12.0, "id": 3401.0, "creation_date": "2025-11-02T09:14:05Z", "display_name": "Pump house 4",
		"status": "Active", "longitude": "34.7818", "latitude": "32.0853",
	}
	if diff := cmp.Diff(want, sites[0]); diff != "" {
		t.Errorf("first site (-want +got):\n%s", diff)
	}
	if status, body := get(t, url+"/v2.0/site/3402", who); status != 200 || !strings.Contains(body, "north basin") {
		t.Errorf("one site: %d %s", status, body)
	}
	if status, body := get(t, url+"/v2.0/site/1", who); status != 404 || !strings.Contains(body, `"message":"Site not found"`) {
		t.Errorf("no such site: %d %s", status, body)
	}
}

func TestPreferences(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	_, body := get(t, backend(t, g)+"/v2.0/user/uiPreferences", g.identity(t))
	var got struct {
		Identity sample.Claims
		Headers  http.Header
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if got.Identity.Principal != "cli_1" || got.Identity.Roles[0] != "operator" || got.Identity.Issuer != g.url {
		t.Errorf("identity = %+v", got.Identity)
	}
	if got.Headers.Get("User-Agent") == "" || got.Headers.Get(gateidentity.Header) == "" {
		t.Errorf("headers = %v, want every one received", got.Headers)
	}
}

func TestDownloadStreams(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, backend(t, g)+"/files/report?lines=1000&every=1h", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(gateidentity.Header, g.identity(t))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	// The first line arrives although the second is an hour away.
	line, err := bufio.NewReader(res.Body).ReadString('\n')
	if err != nil || line != "report line 1 of 1000\n" {
		t.Errorf("first line %q, %v", line, err)
	}
}

func TestEcho(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	conn, _, err := websocket.Dial(ctx, backend(t, g)+"/echo", &websocket.DialOptions{
		HTTPHeader: http.Header{gateidentity.Header: {g.identity(t)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	for _, word := range []string{"one", "two"} {
		if err := conn.Write(ctx, websocket.MessageText, []byte(word)); err != nil {
			t.Fatal(err)
		}
		kind, got, err := conn.Read(ctx)
		if err != nil || kind != websocket.MessageText || string(got) != word {
			t.Errorf("said %q, heard %q, %v", word, got, err)
		}
	}
	if err := conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Errorf("close: %v", err)
	}
}
