package gate_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/gateway"
	"gatehouse.dev/internal/gateway/cors"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/throttle"
	"gatehouse.dev/internal/token"
)

func route(name, path string, change ...func(*gateway.Route)) gateway.Route {
	r := gateway.Route{Name: name, Path: path, Credentials: []gateway.Credential{gateway.Key}, Roles: []string{"test/reader"}}
	for _, f := range change {
		f(&r)
	}
	return r
}

func accepting(k ...gateway.Credential) func(*gateway.Route) {
	return func(r *gateway.Route) { r.Credentials = k }
}

// TestCredentials goes through the gate with each kind, and shows what the
// backend then knows and does not get.
func TestCredentials(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{routes: []gateway.Route{
		route("all", "/all/", accepting(gateway.Bearer, gateway.Key, gateway.Basic), func(r *gateway.Route) { r.KeyQuery = "key" }),
		route("open", "/open", accepting(gateway.None)),
		route("pass", "/pass", accepting(gateway.Basic), func(r *gateway.Route) { r.PassCredential = true }),
	}})
	ada := s.caller("ada", "test/reader")
	_, err := s.Credentials.Create(t.Context(), audit.By{}, ada.Principal, credential.Spec{Kind: credential.Password, Password: secret.New("correct horse battery")})
	s.must(err)
	robot, err := s.Principals.Create(t.Context(), audit.By{}, principal.Principal{Tenant: s.Default.ID, Kind: principal.Client, Name: "robot", Roles: []string{"test/reader"}})
	s.must(err)
	pair, err := s.Credentials.Create(t.Context(), audit.By{}, robot, credential.Spec{Kind: credential.KeyPair})
	s.must(err)
	basic := func(name, pw string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+pw))
	}
	opaque, _, err := s.Opaques.(*token.OpaqueTokens).Issue(t.Context(), token.Opaque{Tenant: s.Default.ID, Principal: ada.Principal.ID, Credential: ada.Credential.ID, Secret: ada.Secret.ID}, time.Hour)
	s.must(err)

	for name, c := range map[string]struct {
		path   string
		header http.Header
		method identity.Method
		who    string
	}{
		"key":          {"/all/x?a=1", ada.key(), identity.APIKey, "ada"},
		"key in query": {"/all/x?a=1&key=" + ada.Text.Reveal(), http.Header{}, identity.APIKey, "ada"},
		"password":     {"/all/x?a=1", http.Header{"Authorization": {basic("ADA", "correct horse battery")}}, identity.Password, "ada"},
		"key pair":     {"/all/x?a=1", http.Header{"Authorization": {basic(pair.Credential.Lookup, pair.Text.Reveal())}}, identity.KeyPair, "robot"},
		"opaque":       {"/all/x?a=1", http.Header{"Authorization": {"Bearer " + opaque.Reveal()}}, identity.Opaque, "ada"},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 { // the second time from memory
				c.header.Set("Cookie", "mine=1; gatehouse_session=stolen")
				c.header.Set("Gatehouse-Identity", "forged")
				res, g := s.ask("GET", c.path, c.header.Clone())
				if res.StatusCode != 200 || g.Identity == nil {
					t.Fatalf("%d, identity %v", res.StatusCode, g.Identity)
				}
				id := g.Identity
				if id.Name != c.who || id.Method != string(c.method) || id.Dialect != "gateway" || id.TenantName != "default" ||
					id.Tenant != s.Default.ID || !id.HasRole("test/reader") || id.Credential == "" && c.method != identity.Opaque {
					t.Errorf("identity %+v", id)
				}
				if life := id.ExpiresAt.Sub(id.IssuedAt); life != time.Minute {
					t.Errorf("life %v", life)
				}
				text := fmt.Sprint(g.Header, g.URI)
				for _, hidden := range []string{ada.Text.Reveal(), pair.Text.Reveal(), opaque.Reveal(), "Basic", "Bearer", "stolen", "forged"} {
					if strings.Contains(text, hidden) {
						t.Errorf("the backend got %q", text)
					}
				}
				if g.URI != "/all/x?a=1" || g.Header.Get("Cookie") != "mine=1" || g.Header.Get("X-Forwarded-For") != "127.0.0.1" ||
					g.Header.Get("X-Forwarded-Host") != s.addr || !strings.HasPrefix(g.Header.Get("X-Request-Id"), "req_") {
					t.Errorf("request %s %v", g.URI, g.Header)
				}
			}
		})
	}
	res, g := s.ask("GET", "/open", http.Header{"Authorization": {"Bearer x"}, "Gatehouse_identity": {"forged"}})
	if res.StatusCode != 200 || g.Identity != nil || g.Header.Get("Authorization") != "" || len(g.Header["Gatehouse_identity"]) != 0 {
		t.Errorf("open route: %d %v", res.StatusCode, g.Header)
	}
	auth := basic("ada", "correct horse battery")
	if res, g = s.ask("GET", "/pass", http.Header{"Authorization": {auth}}); res.StatusCode != 200 || g.Header.Get("Authorization") != auth {
		t.Errorf("passing route: %d %v", res.StatusCode, g.Header)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{routes: []gateway.Route{
		route("all", "/all", accepting(gateway.Bearer, gateway.Key, gateway.Basic)),
		route("writers", "/writers", func(r *gateway.Route) { r.Roles = []string{"test/writer"} }),
		route("site", "/sites/{id}", func(r *gateway.Route) {
			r.Roles, r.Action, r.ResourceType, r.ResourceID = nil, "site:read", "Site", "{id}"
		}),
		route("few", "/few", func(r *gateway.Route) { r.Limit = throttle.Rate{N: 2, Per: time.Hour} }),
		route("get", "/get", func(r *gateway.Route) { r.Methods = []string{"GET"} }),
	}})
	ada := s.caller("ada", "test/reader")
	for name, c := range map[string]struct {
		method, path string
		header       http.Header
		want         int
		challenge    string
	}{
		"nothing shown":      {"GET", "/all", nil, 401, `Bearer realm="gatehouse", Basic realm="gatehouse", charset="UTF-8", ApiKey realm="gatehouse", header="X-Api-Key"`},
		"unknown key":        {"GET", "/all", http.Header{"X-Api-Key": {"ghk_unknown"}}, 401, ""},
		"garbage token":      {"GET", "/all", http.Header{"Authorization": {"Bearer a.b.c"}}, 401, ""},
		"unknown user":       {"GET", "/all", http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte("nobody:x"))}}, 401, ""},
		"role missing":       {"GET", "/writers", ada.key(), 403, ""},
		"policy allows":      {"GET", "/sites/17", ada.key(), 200, ""},
		"policy forbids":     {"GET", "/sites/secret", ada.key(), 403, ""},
		"policy, escaped":    {"GET", "/sites/%73ecret", ada.key(), 403, ""},
		"no such path":       {"GET", "/nothing", ada.key(), 404, ""},
		"method not allowed": {"POST", "/get", ada.key(), 405, ""},
	} {
		t.Run(name, func(t *testing.T) {
			res, _ := s.ask(c.method, c.path, c.header)
			if res.StatusCode != c.want {
				t.Errorf("%d, want %d", res.StatusCode, c.want)
			}
			if c.want >= 400 && res.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("body is %s", res.Header.Get("Content-Type"))
			}
			if got := strings.Join(res.Header["Www-Authenticate"], ", "); c.want == 401 && got == "" || c.challenge != "" && got != c.challenge {
				t.Errorf("challenge %s", got)
			}
			if c.want == 405 && res.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("Allow: %s", res.Header.Get("Allow"))
			}
		})
	}
	for i, want := range []int{200, 200, 429} {
		if res, _ := s.ask("GET", "/few", ada.key()); res.StatusCode != want || want == 429 && res.Header.Get("Retry-After") == "" {
			t.Errorf("request %d: %d %v", i, res.StatusCode, res.Header)
		}
	}
	if res, _ := s.ask("GET", "/few", s.caller("bob", "test/reader").key()); res.StatusCode != 200 {
		t.Errorf("another caller: %d", res.StatusCode)
	}
	s.revoke(ada)
	if res, _ := s.ask("GET", "/sites/17", ada.key()); res.StatusCode != 401 {
		t.Errorf("after revocation: %d", res.StatusCode)
	}
}

// TestPathTricks: what is refused, and that the rest arrives exactly as it was
// decided on.
func TestPathTricks(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{routes: []gateway.Route{
		route("public", "/public/", accepting(gateway.None)),
		route("odd", "/odd/", accepting(gateway.None), func(r *gateway.Route) { r.Allow = 0xff }),
		route("secret", "/secret/"),
		route("moved", "/moved/", accepting(gateway.None), func(r *gateway.Route) { r.Rewrite = "/new/place/" }),
	}})
	for path, want := range map[string]string{
		"/public/x":                 "/public/x",
		"/%70ublic/x":               "/public/x",
		"/public/caf%c3%a9":         "/public/caf%C3%A9",
		"/public/../secret/x":       "400",
		"/public/%2e%2e/secret/x":   "400",
		"/public/..%2fsecret/x":     "400",
		"/public/..;/secret/x":      "400",
		"/public/%2e%2e%2fsecret/x": "400",
		"/public//secret/x":         "400",
		"/public/a%2fb":             "400",
		"/public/a%5cb":             "400",
		`/public/a\b`:               "400",
		"/public/a%00":              "400",
		"/public/a%zz":              "400",
		"/public/%ff":               "400",
		"/public/a%252e":            "400",
		"/public;x/secret":          "404",
		"//public/x":                "404",
		"/secret/x":                 "401",
		"/%73ecret/x":               "401",
		"/SECRET/x":                 "404",
		"/odd/a%2fb//c;d%5ce":       "/odd/a%2Fb//c;d%5Ce",
		"/odd/a%2f..%2fsecret":      "400",
		"/moved/a%20b":              "/new/place/a%20b",
		"/moved/":                   "/new/place/",
		"/moved/../secret/x":        "400",
		"http://evil/public/x":      "/public/x", // absolute form: the path is the same
		"/public/x?a=b#c":           "400",
		"/public/x?a=%ff&b=é":       "/public/x?a=%ff&b=%C3%A9",
		"*":                         "400",
	} {
		res := s.raw("GET " + path + " HTTP/1.1\r\nHost: gate.example\r\nConnection: close\r\n\r\n")
		var g got
		answer := fmt.Sprint(res.StatusCode)
		if res.StatusCode == 200 {
			decode(t, res, &g)
			answer = g.URI
		}
		if answer != want {
			t.Errorf("%s: %s, want %s", path, answer, want)
		}
	}
}

// TestSmuggling sends what two servers might take apart differently.
func TestSmuggling(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{routes: []gateway.Route{route("open", "/", accepting(gateway.None)), route("secret", "/secret")}})
	for name, text := range map[string]string{
		"two lengths":              "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
		"length and chunked":       "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /secret HTTP/1.1\r\nHost: x\r\n\r\n",
		"chunked spelt oddly":      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"chunked twice":            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
		"negative length":          "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
		"length with sign":         "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc",
		"blank before colon":       "GET / HTTP/1.1\r\nHost: x\r\nGatehouse-Identity : forged\r\n\r\n",
		"folded line":              "GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n Gatehouse-Identity: forged\r\n\r\n",
		"two hosts":                "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
		"no host":                  "GET / HTTP/1.1\r\n\r\n",
		"NUL in a value":           "GET / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
		"bare CR in a value":       "GET / HTTP/1.1\r\nHost: x\r\nX: a\rGatehouse-Identity: forged\r\n\r\n",
		"blank in the target":      "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
		"trailing chunk extension": "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;a=\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			res := s.raw(text)
			var g got
			if res.StatusCode == 200 {
				decode(t, res, &g)
				all := fmt.Sprint(g.Header)
				if strings.Contains(all, "forged") && g.Header.Get("X") == "" || g.Identity != nil {
					t.Errorf("the backend got %v", g)
				}
			} else if res.StatusCode != 400 && res.StatusCode != 501 { // 501: RFC 9112, section 6.1
				t.Errorf("%d", res.StatusCode)
			}
		})
	}
	// Whatever came before, nothing has reached the guarded path.
	if res := s.raw("GET /secret HTTP/1.1\r\nHost: x\r\n\r\n"); res.StatusCode != 401 {
		t.Errorf("/secret: %d", res.StatusCode)
	}
}

// TestTrailersAndConnectionTokens: neither is a way to say who is calling, or
// to take away who is.
func TestTrailersAndConnectionTokens(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{routes: []gateway.Route{route("all", "/")}})
	ada := s.caller("ada", "test/reader")
	for _, name := range []string{"Gatehouse-Identity", "gatehouse_identity", "GatehouseIdentity", "X-Forwarded-For"} {
		res := s.raw("POST / HTTP/1.1\r\nHost: x\r\nConnection: close, " + name + "\r\nX-API-Key: " + ada.Text.Reveal() + "\r\n" +
			name + ": forged\r\nTrailer: " + name + "\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n" + name + ": forged\r\n\r\n")
		var g got
		decode(t, res, &g)
		if g.Identity == nil || g.Identity.Name != "ada" || g.Header.Get("X-Forwarded-For") != "127.0.0.1" ||
			strings.Contains(fmt.Sprint(g), "forged") || g.Body != "x" {
			t.Errorf("%s: %+v", name, g)
		}
	}
}

func TestCORS(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{routes: []gateway.Route{
		route("api", "/api", func(r *gateway.Route) {
			r.Methods = []string{"GET", "POST"}
			r.CORS = &cors.Policy{Origins: []string{"https://app.example"}, Headers: []string{"X-API-Key"}}
		}),
	}})
	preflight := http.Header{"Origin": {"https://app.example"}, "Access-Control-Request-Method": {"POST"}}
	res, _ := s.ask("OPTIONS", "/api", preflight)
	if res.StatusCode != 204 || res.Header.Get("Access-Control-Allow-Origin") != "https://app.example" || res.Header.Get("Access-Control-Allow-Methods") != "GET, POST, HEAD" {
		t.Errorf("preflight: %d %v", res.StatusCode, res.Header)
	}
	if s.backend.requests() != 0 {
		t.Error("the preflight reached the backend")
	}
	preflight.Set("Access-Control-Request-Method", "DELETE")
	if res, _ = s.ask("OPTIONS", "/api", preflight); res.StatusCode != 405 {
		t.Errorf("preflight for a method that is not taken: %d", res.StatusCode)
	}
	ada := s.caller("ada", "test/reader")
	for name, h := range map[string]http.Header{"good": ada.key(), "refused": {}} {
		h.Set("Origin", "https://app.example")
		if res, _ = s.ask("GET", "/api", h); res.Header.Get("Access-Control-Allow-Origin") != "https://app.example" {
			t.Errorf("%s: %d %v", name, res.StatusCode, res.Header)
		}
	}
	h := ada.key()
	h.Set("Origin", "https://evil.example")
	if res, _ = s.ask("GET", "/api", h); res.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("another origin: %v", res.Header)
	}
}

// TestPreflightOpensNothing: what a preflight asks about does not choose the
// route of the request that it is.
func TestPreflightOpensNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{routes: []gateway.Route{
		route("read", "/doc", accepting(gateway.None), func(r *gateway.Route) { r.Methods = []string{"GET"} }),
		route("rest", "/form", func(r *gateway.Route) { r.Methods = []string{"OPTIONS"} }),
		route("form", "/form", accepting(gateway.None), func(r *gateway.Route) { r.Methods = []string{"POST"} }),
	}})
	for path, want := range map[string]int{"/doc": 405, "/form": 401} {
		h := http.Header{"Origin": {"https://app.example"}, "Access-Control-Request-Method": {map[string]string{"/doc": "GET", "/form": "POST"}[path]}}
		if res, _ := s.ask("OPTIONS", path, h); res.StatusCode != want {
			t.Errorf("OPTIONS %s: %d, want %d", path, res.StatusCode, want)
		}
	}
	if n := s.backend.requests(); n != 0 {
		t.Errorf("%d requests reached the backend", n)
	}
}

// TestStatementIsReused for half a minute and one upstream, and made anew when
// its key is distrusted.
func TestStatementIsReused(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{
		routes: []gateway.Route{route("all", "/")},
		handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			json.NewEncoder(w).Encode(got{Header: r.Header})
		}),
	})
	ada := s.caller("ada", "test/reader")
	statement := func() string {
		_, g := s.ask("GET", "/", ada.key())
		return g.Header.Get("Gatehouse-Identity")
	}
	first := statement()
	if second := statement(); first == "" || second != first {
		t.Errorf("%q and then %q", first, second)
	}
	keys, err := s.Signing.List(t.Context(), s.Default.ID)
	s.must(err)
	for _, k := range keys {
		if k.Use != token.UseIdentity || k.State != token.Active {
			continue
		}
		_, err := s.Signing.Rotate(t.Context(), s.Default.ID, k.Use, k.Alg, true, audit.Event{Actor: "test", Action: "rotate"})
		s.must(err)
		change, err := s.Signing.Distrust(t.Context(), s.Default.ID, k.ID, audit.Event{Actor: "test", Action: "distrust"})
		s.must(err)
		s.Tail.Await(t.Context(), change)
	}
	if third := statement(); third == "" || third == first {
		t.Errorf("under a distrusted key: %q", third)
	}
}
