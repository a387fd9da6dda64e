package adminclient_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse.dev/internal/adminclient"
	"gatehouse.dev/internal/secret"
)

func TestServerAddresses(t *testing.T) {
	t.Parallel()
	key := secret.New("ghk_x")
	for server, want := range map[string]string{
		"https://desk.example":       "",
		"https://desk.example/api/":  "",
		"http://127.0.0.1:8081":      "",
		"http://localhost:8081":      "",
		"http://[::1]:8081":          "",
		"http://desk.example":        "in the clear",
		"http://localhost.evil.test": "in the clear",
		"desk.example":               "not the address",
		"ftp://desk.example":         "not the address",
		"https://u:p@desk.example":   "not the address",
		"":                           "not the address",
	} {
		_, err := adminclient.New(adminclient.Options{Server: server, Token: key})
		if got := ""; err != nil {
			got = err.Error()
			if want == "" || !strings.Contains(got, want) {
				t.Errorf("%q: %v", server, err)
			}
		} else if want != "" {
			t.Errorf("%q: accepted", server)
		}
	}
	if _, err := adminclient.New(adminclient.Options{Server: "http://desk.example", Token: key, Plain: true}); err != nil {
		t.Errorf("--plain: %v", err)
	}
	if _, err := adminclient.New(adminclient.Options{Server: "https://desk.example"}); err == nil {
		t.Error("no key: accepted")
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	var got *http.Request
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.Write([]byte(`{"ok":true}`))
	}))
	t.Cleanup(s.Close)
	c, err := adminclient.New(adminclient.Options{Server: s.URL, Token: secret.New("ghk_x"), Tenant: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	var out struct{ OK bool }
	if err := c.Get(t.Context(), "/v1/users", adminclient.Query{"name": "a b", "empty": ""}, &out); err != nil || !out.OK {
		t.Fatal(err, out)
	}
	if got.URL.String() != "/api/v1/users?name=a+b&tenant=acme" || got.Header.Get("Authorization") != "Bearer ghk_x" {
		t.Errorf("sent %s with %q", got.URL, got.Header.Get("Authorization"))
	}
	if err := c.Get(t.Context(), "/v1/tenants", nil, &out); err != nil || got.URL.RawQuery != "" {
		t.Errorf("sent %s: these paths take no tenant", got.URL)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the key went elsewhere") }))
	t.Cleanup(elsewhere.Close)
	s := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	t.Cleanup(s.Close)
	c, err := adminclient.New(adminclient.Options{Server: s.URL, Token: secret.New("ghk_x")})
	if err != nil {
		t.Fatal(err)
	}
	var p *adminclient.Problem
	if err := c.Get(t.Context(), "/v1/self", nil, nil); !errors.As(err, &p) || p.Status != 307 {
		t.Errorf("error = %v", err)
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"status":422,"detail":"name is empty","errors":[{"message":"is empty","location":"body.name"}]}`:            "name is empty",
		`{"status":422,"detail":"validation failed","errors":[{"message":"expected string","location":"body.name"}]}`: "validation failed\n  name: expected string",
		`{"status":503,"title":"Service Unavailable"}`:                                                                "the server answered 503 Service Unavailable (in 2 s)",
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			status := 422
			if strings.Contains(body, "503") {
				status = 503
				w.Header().Set("Retry-After", "2")
			}
			w.WriteHeader(status)
			w.Write([]byte(body))
		}))
		c, err := adminclient.New(adminclient.Options{Server: s.URL, Token: secret.New("ghk_x")})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Get(t.Context(), "/v1/self", nil, nil); err == nil || err.Error() != want {
			t.Errorf("says %q, want %q", err, want)
		}
		s.Close()
	}
}

func TestNoServer(t *testing.T) {
	t.Parallel()
	c, err := adminclient.New(adminclient.Options{Socket: filepath.Join(t.TempDir(), "admin.sock")})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Get(t.Context(), "/v1/self", nil, nil); err == nil || !strings.Contains(err.Error(), "gatehouse serve") {
		t.Errorf("error = %v", err)
	}
}

func TestNoServerElsewhere(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(nil)
	s.Close()
	c, err := adminclient.New(adminclient.Options{Server: s.URL, Token: secret.New("ghk_x")})
	if err != nil {
		t.Fatal(err)
	}
	err = c.Get(t.Context(), "/v1/self", nil, nil)
	if err == nil || !strings.HasPrefix(err.Error(), s.URL+" cannot be reached: ") || strings.Contains(err.Error(), "/v1/self") {
		t.Errorf("error = %v", err)
	}
}

// TestKeyNotBelieved: whoever showed a key is not asked to show one.
func TestKeyNotBelieved(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnauthorized)
		w.Write([]byte(`{"status":401,"detail":"show the API key of an administrator as bearer token"}`))
	}))
	t.Cleanup(s.Close)
	c, err := adminclient.New(adminclient.Options{Server: s.URL, Token: secret.New("ghk_x")})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Get(t.Context(), "/v1/self", nil, nil); err == nil || !strings.Contains(err.Error(), "does not believe this key") {
		t.Errorf("error = %v", err)
	}
}
