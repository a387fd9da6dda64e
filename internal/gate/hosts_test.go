package gate_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/dialect"
	"gatehouse.dev/internal/gate"
	"gatehouse.dev/internal/gateway"
	"gatehouse.dev/internal/inbound"
	"gatehouse.dev/internal/token"
)

// onHost asks with a Host header of its own.
func (s *site) onHost(host, path string, h http.Header) (*http.Response, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), "GET", s.url+path, nil)
	s.must(err)
	if h != nil {
		req.Header = h
	}
	req.Host = host
	res, err := http.DefaultTransport.RoundTrip(req)
	s.must(err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	s.must(err)
	return res, string(b)
}

// speaker is a dialect that says which facts it was given.
func speaker(name string, paths ...string) dialect.Dialect {
	d := dialect.Dialect{Name: name, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := inbound.From(r.Context())
		io.WriteString(w, strings.Join([]string{name, f.Tenant.Name, f.Host, f.Scheme, f.Remote.String(), r.URL.Path}, " "))
	})}
	for _, p := range paths {
		d.Routes = append(d.Routes, dialect.Route{Path: p})
	}
	return d
}

func TestHostsAndOwners(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{
		trust: loopback,
		tenants: func(s *site) []gate.Tenant {
			return []gate.Tenant{
				{Tenant: s.Default, Hosts: []string{"one.example"}, Dialects: []dialect.Dialect{speaker("d1", "/auth/token", "/v2.0/")}},
				{Tenant: s.Tenant("two"), Hosts: []string{"two.example", "zwei.example"}, Dialects: []dialect.Dialect{speaker("d2", "/v2.0/")}},
			}
		},
		routes: []gateway.Route{
			route("open", "/", accepting(gateway.None)),
			route("two", "/two", accepting(gateway.None), func(r *gateway.Route) { r.Tenant = "two" }),
		},
	})
	for in, want := range map[string]string{
		"one.example /auth/token":          "d1 default one.example http 127.0.0.1 /auth/token",
		"ONE.example.:8080 /v2.0/x":        "d1 default one.example http 127.0.0.1 /v2.0/x",
		"one.example /%762.0/x":            "d1 default one.example http 127.0.0.1 /v2.0/x",
		"one.example /v2.0/../auth/token":  "d1 default one.example http 127.0.0.1 /v2.0/../auth/token",
		"one.example /v2.0/a%2fb":          "d1 default one.example http 127.0.0.1 /v2.0/a/b",
		"two.example /v2.0/x":              "d2 two two.example http 127.0.0.1 /v2.0/x",
		"zwei.example /v2.0/x":             "d2 two zwei.example http 127.0.0.1 /v2.0/x",
		"one.example /auth/token/":         "200 /auth/token/",
		"one.example /x":                   "200 /x",
		"two.example /two":                 "200 /two",
		"two.example /x":                   "404",
		"two.example /auth/token":          "404",
		"one.example /x/../y":              "400",
		"one.example /-/forward-auth":      "404",
		"one.example /-/anything":          "404",
		"one.example /%2D/anything":        "404",
		"evil.example /x":                  "421",
		"one.example.evil.example /x":      "421",
		"127.0.0.1 /v2.0/x":                "421",
		"evil.example /-/forward-auth":     "421",
		"evil.example /-/forward-auth?a=b": "421",
	} {
		host, path, _ := strings.Cut(in, " ")
		// DialContext to the site whatever the host: as a raw request.
		res := s.raw("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n")
		b, _ := io.ReadAll(res.Body)
		got := string(b)
		if strings.HasPrefix(got, "{") {
			var g got2
			json.Unmarshal(b, &g)
			got = strings.TrimSpace(res.Status[:3] + " " + g.URI)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	h := http.Header{"X-Forwarded-Host": {"two.example"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-For": {"203.0.113.9"}}
	if _, body := s.onHost("one.example", "/v2.0/x", h); body != "d2 two two.example https 203.0.113.9 /v2.0/x" {
		t.Errorf("through a trusted proxy: %s", body)
	}
}

type got2 struct{ URI string }

// TestBackendGetsTheDecidedHost: whoever serves several hosts by what it is told
// must not serve another than the one that the decision was about.
func TestBackendGetsTheDecidedHost(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{trust: loopback, routes: []gateway.Route{route("open", "/", accepting(gateway.None))}})
	_, g := s.ask("GET", "/x", http.Header{"X-Forwarded-Host": {"Shop.example:8443"}})
	if told := g.Header.Get("X-Forwarded-Host"); told != "Shop.example:8443" {
		t.Errorf("told %q, decided on Shop.example:8443", told)
	}
}

func TestStrangersCannotForward(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{tenants: func(s *site) []gate.Tenant {
		return []gate.Tenant{{Tenant: s.Default, Dialects: []dialect.Dialect{speaker("d", "/d")}}}
	}})
	h := http.Header{"X-Forwarded-Host": {"two.example"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-For": {"203.0.113.9"}, "Forwarded": {"for=203.0.113.9"}}
	if _, body := s.onHost("any.example", "/d", h); body != "d default any.example http 127.0.0.1 /d" {
		t.Errorf("got %s", body)
	}
}

func TestOneOwner(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{routes: []gateway.Route{route("x", "/x")}})
	for name, c := range map[string]struct {
		dialects []dialect.Dialect
		routes   []string
	}{
		"two dialects":              {[]dialect.Dialect{speaker("a", "/p"), speaker("b", "/p")}, nil},
		"one below the other":       {[]dialect.Dialect{speaker("a", "/p/"), speaker("b", "/p/x")}, nil},
		"one above the other":       {[]dialect.Dialect{speaker("a", "/p/x"), speaker("b", "GET /p/")}, nil},
		"wildcard":                  {[]dialect.Dialect{speaker("a", "/p/{x}"), speaker("b", "/p/y")}, nil},
		"dialect on ours":           {[]dialect.Dialect{speaker("a", "/-/x")}, nil},
		"dialect on the keys":       {[]dialect.Dialect{speaker("a", "/.well-known/jwks.json")}, nil},
		"route on a dialect":        {[]dialect.Dialect{speaker("a", "/p")}, []string{"/p"}},
		"route below a dialect":     {[]dialect.Dialect{speaker("a", "/p/")}, []string{"/p/x"}},
		"parameter below a dialect": {[]dialect.Dialect{speaker("a", "/p/")}, []string{"/p/{x}"}},
		"route on ours":             {nil, []string{"/-/x"}},
	} {
		o := gate.Options{Gateway: s.gateway, Keys: s.Signing, Store: s.Store, Log: s.Tail, Tenants: []gate.Tenant{{Tenant: s.Default, Dialects: c.dialects}}}
		for i, p := range c.routes {
			o.Routes = append(o.Routes, gateway.Route{Name: string(rune('a' + i)), Tenant: "default", Path: p})
		}
		if _, err := gate.New(o); err == nil || !strings.Contains(err.Error(), "own") {
			t.Errorf("%s: %v", name, err)
		}
	}
	both := gate.Options{Gateway: s.gateway, Keys: s.Signing, Store: s.Store, Log: s.Tail, Tenants: []gate.Tenant{
		{Tenant: s.Default, Hosts: []string{"a"}}, {Tenant: s.Default, Hosts: []string{"a"}},
	}}
	if _, err := gate.New(both); err == nil {
		t.Error("a host of two tenants is accepted")
	}
}

func TestDisabledTenant(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{
		routes: []gateway.Route{route("open", "/", accepting(gateway.None))},
	})
	if res, _ := s.ask("GET", "/", nil); res.StatusCode != 200 {
		t.Fatalf("before: %d", res.StatusCode)
	}
	change, err := s.Tenants.Disable(t.Context(), audit.By{}, s.Default.ID)
	s.must(err)
	s.Tail.Await(t.Context(), change)
	for _, path := range []string{"/", gate.PathJWKS} {
		if res, _ := s.ask("GET", path, nil); res.StatusCode != 404 {
			t.Errorf("%s while disabled: %d", path, res.StatusCode)
		}
	}
	s.must(s.Tenants.Enable(t.Context(), audit.By{}, s.Default.ID))
	waitFor(t, "the tenant to be back", func() bool {
		res, _ := s.ask("GET", "/", nil)
		return res.StatusCode == 200
	})
}

func TestKeys(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.Signing.Prepare(t.Context(), s.Default.ID, token.UseIdentity, token.ES256)
	s.Signing.Prepare(t.Context(), s.Default.ID, "access", token.ES256)
	type set struct {
		Keys []struct{ Kid, Alg, Kty string }
	}
	read := func(path string) (keys set, res *http.Response) {
		res, body := s.onHost("x", path, nil)
		s.must(json.Unmarshal([]byte(body), &keys))
		return keys, res
	}
	waitFor(t, "both keys", func() bool {
		a, _ := read(gate.PathIdentityKeys)
		b, _ := read(gate.PathJWKS)
		return len(a.Keys) == 1 && len(b.Keys) == 1
	})
	ours, res := read(gate.PathIdentityKeys)
	callers, _ := read(gate.PathJWKS)
	if ours.Keys[0].Kid == callers.Keys[0].Kid || ours.Keys[0].Alg != "ES256" {
		t.Errorf("identity keys %v, token keys %v", ours, callers)
	}
	if res.Header.Get("Content-Type") != "application/jwk-set+json" || !strings.HasPrefix(res.Header.Get("Cache-Control"), "public, max-age=") {
		t.Errorf("headers %v", res.Header)
	}
	if res, _ := s.onHost("x", gate.PathIdentityKeys, http.Header{"If-None-Match": {res.Header.Get("Etag")}}); res.StatusCode != 304 {
		t.Errorf("unchanged: %d", res.StatusCode)
	}
	if res, _ := s.ask("POST", gate.PathJWKS, nil); res.StatusCode != 405 {
		t.Errorf("POST: %d", res.StatusCode)
	}
}
