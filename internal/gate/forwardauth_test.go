package gate_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"gatehouse.dev/gateidentity"
	"gatehouse.dev/internal/gate"
	"gatehouse.dev/internal/gateway"
	"gatehouse.dev/internal/gateway/forwarded"
)

// authRoutes are what the tests of forward-auth protect.
var authRoutes = []gateway.Route{
	route("pages", "/pages/", func(r *gateway.Route) { r.Methods = []string{"GET"} }),
	route("open", "/open/", accepting(gateway.None)),
	route("writers", "/writers/", func(r *gateway.Route) { r.Roles = []string{"test/writer"} }),
	route("query", "/query", func(r *gateway.Route) { r.KeyQuery = "key" }),
}

func routesCopy() []gateway.Route { return append([]gateway.Route(nil), authRoutes...) }

func with(h http.Header, pairs ...string) http.Header {
	out := h.Clone()
	if out == nil {
		out = http.Header{}
	}
	for i := 0; i < len(pairs); i += 2 {
		out.Set(pairs[i], pairs[i+1])
	}
	return out
}

func TestForwardAuth(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{routes: routesCopy(), proxies: loopback})
	ada := s.caller("ada", "test/reader")
	nginx := func(h http.Header, method, uri string) http.Header {
		return with(h, "X-Original-URI", uri, "X-Original-Method", method)
	}
	traefik := func(h http.Header, method, uri string) http.Header {
		return with(h, "X-Forwarded-Uri", uri, "X-Forwarded-Method", method, "X-Forwarded-Host", "pages.example")
	}
	for name, c := range map[string]struct {
		header http.Header
		want   int
	}{
		"nginx, key":               {nginx(ada.key(), "GET", "/pages/x?a=b"), 204},
		"nginx, none":              {nginx(nil, "GET", "/pages/x"), 401},
		"nginx, wrong":             {nginx(http.Header{"X-Api-Key": {"ghk_x"}}, "GET", "/pages/x"), 401},
		"nginx, open":              {nginx(nil, "POST", "/open/x"), 204},
		"nginx, role missing":      {nginx(ada.key(), "GET", "/writers/x"), 403},
		"nginx, method":            {nginx(ada.key(), "DELETE", "/pages/x"), 403},
		"nginx, no route":          {nginx(ada.key(), "GET", "/elsewhere"), 403},
		"nginx, key in query":      {nginx(nil, "GET", "/query?key="+ada.Text.Reveal()), 204},
		"nginx, way up":            {nginx(nil, "GET", "/open/../pages/x"), 403},
		"nginx, escaped way up":    {nginx(nil, "GET", "/open/%2e%2e/pages/x"), 403},
		"nginx, escaped slash":     {nginx(nil, "GET", "/open/..%2fpages/x"), 403},
		"nginx, absolute":          {nginx(nil, "GET", "http://x/open/"), 403},
		"traefik, key":             {traefik(ada.key(), "GET", "/pages/x"), 204},
		"traefik, none":            {traefik(nil, "GET", "/pages/x"), 401},
		"nothing about it":         {ada.key(), 403},
		"no method":                {with(ada.key(), "X-Original-URI", "/pages/x"), 403},
		"forged beside nginx":      {with(nginx(nil, "GET", "/pages/x"), "X-Forwarded-Uri", "/open/x"), 403},
		"forged beside traefik":    {with(traefik(nil, "GET", "/pages/x"), "X-Original-URI", "/open/x"), 403},
		"forged method by traefik": {with(traefik(nil, "DELETE", "/open/x"), "X-Original-Method", "GET"), 403},
	} {
		t.Run(name, func(t *testing.T) {
			res, _ := s.ask("GET", gate.PathForwardAuth, c.header)
			body, _ := io.ReadAll(res.Body)
			if res.StatusCode != c.want || len(body) != 0 || res.ContentLength > 0 {
				t.Errorf("%d %q, want %d", res.StatusCode, body, c.want)
			}
			statement := res.Header.Get(gateidentity.Header)
			if (statement != "") != (c.want == 204 && !strings.Contains(name, "open")) {
				t.Errorf("statement %q", statement)
			}
			if c.want == 401 && res.Header.Get("Www-Authenticate") == "" {
				t.Error("no challenge")
			}
		})
	}
	s.revoke(ada)
	if res, _ := s.ask("GET", gate.PathForwardAuth, nginx(ada.key(), "GET", "/pages/x")); res.StatusCode != 401 {
		t.Errorf("after revocation: %d", res.StatusCode)
	}
}

// TestForwardAuthIsForProxies: for everybody else the path does not exist, and
// nobody can pass for a proxy by saying so.
func TestForwardAuthIsForProxies(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{routes: routesCopy(), trust: loopback, proxies: forwarded.Trust{}})
	ada := s.caller("ada", "test/reader")
	h := with(ada.key(), "X-Original-URI", "/pages/x", "X-Original-Method", "GET", "X-Forwarded-For", "10.0.0.1")
	if res, _ := s.ask("GET", gate.PathForwardAuth, h); res.StatusCode != 404 {
		t.Errorf("%d", res.StatusCode)
	}
}

// TestForwardAuthSeesTheCaller: constraints look at the original caller, not
// at the proxy.
func TestForwardAuthSeesTheCaller(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{routes: routesCopy(), proxies: loopback})
	ada := s.caller("ada", "test/reader")
	limitTo(s, ada, "203.0.113.0/24")
	for from, want := range map[string]int{"203.0.113.9": 204, "198.51.100.1": 401, "203.0.113.9, 198.51.100.1": 401} {
		h := with(ada.key(), "X-Original-URI", "/pages/x", "X-Original-Method", "GET", "X-Forwarded-For", from)
		if res, _ := s.ask("GET", gate.PathForwardAuth, h); res.StatusCode != want {
			t.Errorf("%s: %d, want %d", from, res.StatusCode, want)
		}
	}
}
