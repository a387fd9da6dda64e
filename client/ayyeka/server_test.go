package ayyeka

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	testKey    = "0011AABB2233CCDD4455EEFF66778899"
	testSecret = "RXhhbXBsZVNlY3JldEV4YW1wbGVTZWNyZXRFeGFtcGw="
	// What the protocol description shows for this key and secret.
	testBasic = "Basic MDAxMUFBQkIyMjMzQ0NERDQ0NTVFRUZGNjY3Nzg4OTk6UlhoaGJYQnNaVk5sWTNKbGRFVjRZVzF3YkdWVFpXTnlaWFJGZUdGdGNHdz0="
)

// vendor stands where Ayyeka's service stands. It refuses any header that the
// protocol description does not have, so that each test also checks the wire.
type vendor struct {
	*httptest.Server
	t *testing.T

	mu        sync.Mutex
	issued    int
	tokenHits int
	apiHits   int
	revoked   map[string]bool
	lifetime  int                 // expires_in
	onToken   http.HandlerFunc    // instead of an answer; nil: answer
	onAPI     http.HandlerFunc    // after the token was accepted; nil: sites
	hold      chan struct{}       // when set, the token answer waits for it
	requests  []map[string]string // headers of each API request
}

func newVendor(t *testing.T) *vendor {
	t.Helper()
	v := &vendor{t: t, revoked: map[string]bool{}, lifetime: 3600}
	mux := http.NewServeMux()
	mux.HandleFunc("/auth/token", v.token)
	mux.HandleFunc("/v2.0/health", v.health)
	mux.HandleFunc("/v2.0/", v.api)
	v.Server = httptest.NewServer(mux)
	t.Cleanup(v.Close)
	return v
}

// headers returns what the client itself decided to send; the transport's own
// additions are left out.
func headers(r *http.Request) map[string]string {
	h := map[string]string{}
	for name, values := range r.Header {
		if name != "User-Agent" && name != "Accept-Encoding" {
			h[name] = strings.Join(values, "|")
		}
	}
	return h
}

func (v *vendor) token(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if r.Method != http.MethodPost || string(body) != "grant_type=client_credentials" {
		v.t.Errorf("token request = %s %q", r.Method, body)
	}
	want := map[string]string{
		"Content-Type":   "application/x-www-form-urlencoded",
		"Authorization":  testBasic,
		"Cache-Control":  "no-cache",
		"Content-Length": "29",
	}
	if diff := cmp.Diff(want, headers(r)); diff != "" {
		v.t.Errorf("token request headers (-want +got):\n%s", diff)
	}
	v.mu.Lock()
	v.tokenHits++
	hold, on := v.hold, v.onToken
	v.mu.Unlock()
	if hold != nil {
		<-hold
	}
	if on != nil {
		on(w, r)
		return
	}
	v.mu.Lock()
	v.issued++
	token, lifetime := fmt.Sprintf("header.token%d.signature", v.issued), v.lifetime
	v.mu.Unlock()
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	fmt.Fprintf(w, `{"access_token":"%s","token_type":"JWT","expires_in":%d}`, token, lifetime)
}

func (v *vendor) health(w http.ResponseWriter, r *http.Request) {
	if diff := cmp.Diff(map[string]string{}, headers(r)); diff != "" {
		v.t.Errorf("health request headers (-want +got):\n%s", diff)
	}
	io.WriteString(w, "ok")
}

func (v *vendor) api(w http.ResponseWriter, r *http.Request) {
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !bearer || r.Header.Get("Cache-Control") != "no-cache" {
		v.t.Errorf("API request headers = %v", headers(r))
	}
	v.mu.Lock()
	v.apiHits++
	v.requests = append(v.requests, headers(r))
	refused, on := v.revoked[token], v.onAPI
	v.mu.Unlock()
	switch {
	case refused:
		w.Header().Set("WWW-Authenticate", "Bearer")
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, `{"message":"unknown or expired token","request_id":"k3f09xqa"}`)
	case on != nil:
		on(w, r)
	default:
		io.WriteString(w, sitesBody)
	}
}

// revoke makes the nth token unknown.
func (v *vendor) revoke(n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.revoked[fmt.Sprintf("header.token%d.signature", n)] = true
}

func (v *vendor) set(change func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change()
}

func (v *vendor) counts() (token, api int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.tokenHits, v.apiHits
}

// clock is a hand-driven time.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func (v *vendor) config(c *clock) Config {
	return Config{BaseURL: v.URL, Key: testKey, Secret: testSecret, Now: c.now}
}

// fakeJWT has an exp and nothing else of interest.
func fakeJWT(exp int64) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"RS384","typ":"JWT"}`)) + "." + enc(fmt.Appendf(nil, `{"exp":%d}`, exp)) + ".c2ln"
}
