package gateidentity

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestMiddleware(t *testing.T) {
	t.Parallel()
	key := newSigner(t, "k1")
	server := newJWKS(t, key)
	h := newVerifier(t, server.URL, nil).Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, ok := FromContext(r.Context())
		if !ok || !id.HasRole("reader") || id.HasRole("admin") {
			t.Errorf("identity = %+v, %v", id, ok)
		}
		w.Write([]byte(id.Principal))
	}))
	serve := func(h http.Handler, values ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header[Header] = values
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	good := key.sign(nil, nil)
	if w := serve(h, good); w.Code != 200 || w.Body.String() != "p_1" {
		t.Errorf("good identity: %d %s", w.Code, w.Body)
	}
	for name, values := range map[string][]string{
		"none": nil, "two": {good, good}, "garbage": {"x"}, "empty": {""},
	} {
		w := serve(h, values...)
		if w.Code != 401 || w.Header().Get("Content-Type") != "application/problem+json" ||
			w.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d %v", name, w.Code, w.Header())
		}
	}
	server.Close()
	down := newVerifier(t, server.URL, nil).Middleware(http.NotFoundHandler())
	if w := serve(down, good); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("gate is down: %d %v", w.Code, w.Header())
	}
}

func TestFromContextWithoutIdentity(t *testing.T) {
	t.Parallel()
	if id, ok := FromContext(t.Context()); ok {
		t.Errorf("identity = %+v", id)
	}
}
