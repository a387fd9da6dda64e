package gateway

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"gatehouse.dev/internal/gateway/canonical"
	"gatehouse.dev/internal/gateway/upstream"
)

func testUpstream(t testing.TB) *Upstream {
	t.Helper()
	p, err := upstream.New(upstream.Config{Name: "b", Addresses: []string{"http://127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	return &Upstream{Pool: p}
}

// testRoute is a Route with what every route needs.
func testRoute(t testing.TB, name, path string, change ...func(*Route)) Route {
	r := Route{Name: name, Tenant: "default", Path: path, Credentials: []Credential{Key}, Upstream: testUpstream(t)}
	for _, f := range change {
		f(&r)
	}
	return r
}

func methods(m ...string) func(*Route)  { return func(r *Route) { r.Methods = m } }
func onHost(host string) func(*Route)   { return func(r *Route) { r.Host = host } }
func ofTenant(name string) func(*Route) { return func(r *Route) { r.Tenant = name } }

func TestFind(t *testing.T) {
	t.Parallel()
	table, err := newTable([]Route{
		testRoute(t, "root", "/"),
		testRoute(t, "sites", "/sites/"),
		testRoute(t, "sites-get", "/sites", methods("GET")),
		testRoute(t, "sites-post", "/sites", methods("POST")),
		testRoute(t, "site", "/sites/{id}"),
		testRoute(t, "mine", "/sites/mine"),
		testRoute(t, "data", "/sites/{id}/data/"),
		testRoute(t, "deep", "/sites/mine/data/{day}/raw"),
		testRoute(t, "caf", "/café/"),
		testRoute(t, "elsewhere", "/sites/", onHost("other.example")),
		testRoute(t, "theirs", "/theirs", ofTenant("other")),
	})
	if err != nil {
		t.Fatal(err)
	}
	type found struct {
		Name, Rest string
		Params     []string
	}
	for in, want := range map[string]found{
		"GET /":                             {"root", "", nil},
		"GET /x":                            {"root", "x", nil},
		"GET /sites":                        {"sites-get", "", nil},
		"HEAD /sites":                       {"sites-get", "", nil},
		"POST /sites":                       {"sites-post", "", nil},
		"GET /sites/":                       {"sites", "", nil},
		"GET /sites/17":                     {"site", "", []string{"17"}},
		"GET /sites/a%2Fb":                  {"site", "", []string{"a/b"}},
		"GET /sites/mine":                   {"mine", "", nil},
		"GET /sites/17/":                    {"sites", "17/", nil},
		"GET /sites/17/data/":               {"data", "", []string{"17"}},
		"GET /sites/17/data/x/y":            {"data", "x/y", []string{"17"}},
		"GET /sites/mine/data/x":            {"data", "x", []string{"mine"}},
		"GET /sites/mine/data/x/raw":        {"deep", "", []string{"x"}},
		"GET /sites/17/other":               {"sites", "17/other", nil},
		"GET /caf%C3%A9/x":                  {"caf", "x", nil},
		"GET /Sites":                        {"root", "Sites", nil},
		"GET /theirs":                       {"root", "theirs", nil},
		"other.example GET /sites/17":       {"elsewhere", "17", nil},
		"other.example GET /x":              {"root", "x", nil},
		"tenant:other GET /theirs":          {"theirs", "", nil},
		"tenant:other GET /sites/17":        {},
		"tenant:nobody GET /":               {},
		"other.example DELETE /sites/17/18": {"elsewhere", "17/18", nil},
	} {
		words := strings.Fields(in)
		tenant, host := "default", "gate.example"
		for len(words) > 2 {
			if name, ok := strings.CutPrefix(words[0], "tenant:"); ok {
				tenant = name
			} else {
				host = words[0]
			}
			words = words[1:]
		}
		m, _, ok := table.find(tenant, host, words[1], words[0])
		var got found
		if ok {
			got = found{m.Name, m.rest, m.params}
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", in, diff)
		}
	}
	if _, allowed, ok := table.find("default", "x", "/sites", "DELETE"); ok || cmp.Diff([]string{"GET", "HEAD", "POST"}, allowed) != "" {
		t.Errorf("DELETE /sites: %v, allowed %v", ok, allowed)
	}
}

// TestFindNeverMeetsAnotherOwner: whatever is asked for, a route with a literal
// path is only found by paths that begin with it.
func TestFindNeverMeetsAnotherOwner(t *testing.T) {
	t.Parallel()
	table, err := newTable([]Route{testRoute(t, "public", "/public/"), testRoute(t, "secret", "/secret/"), testRoute(t, "one", "/p/{x}/q")})
	if err != nil {
		t.Fatal(err)
	}
	piece := rapid.SampledFrom([]string{"/", "public", "secret", "..", ".", "%2e", "%2f", "p", "q", ";", "%70ublic", "//", "x"})
	rapid.Check(t, func(t *rapid.T) {
		p, err := canonical.Parse("/" + strings.Join(rapid.SliceOfN(piece, 0, 8).Draw(t, "pieces"), ""))
		if err != nil {
			return
		}
		m, _, ok := table.find("default", "", p.Escaped, "GET")
		if !ok {
			return
		}
		if m.subtree && p.Escaped != m.Path+m.rest {
			t.Errorf("%q: route %s with rest %q", p.Escaped, m.Name, m.rest)
		}
		if m.Name == "one" && (!strings.HasPrefix(p.Escaped, "/p/") || strings.Count(p.Escaped, "/") != 3) {
			t.Errorf("%q: route %s", p.Escaped, m.Name)
		}
	})
}

func TestTableRefuses(t *testing.T) {
	t.Parallel()
	for name, routes := range map[string][]Route{
		"no name":          {testRoute(t, "", "/")},
		"same name":        {testRoute(t, "a", "/a"), testRoute(t, "a", "/b")},
		"same path":        {testRoute(t, "a", "/x"), testRoute(t, "b", "/x")},
		"same pattern":     {testRoute(t, "a", "/x/{a}"), testRoute(t, "b", "/x/{b}")},
		"same method":      {testRoute(t, "a", "/x", methods("GET", "PUT")), testRoute(t, "b", "/x", methods("PUT"))},
		"relative":         {testRoute(t, "a", "x")},
		"dots":             {testRoute(t, "a", "/x/../y")},
		"oddity":           {testRoute(t, "a", "/x//y")},
		"no credentials":   {testRoute(t, "a", "/", func(r *Route) { r.Credentials = nil })},
		"none and key":     {testRoute(t, "a", "/", func(r *Route) { r.Credentials = []Credential{None, Key} })},
		"unknown kind":     {testRoute(t, "a", "/", func(r *Route) { r.Credentials = []Credential{"cookie"} })},
		"no upstream":      {testRoute(t, "a", "/", func(r *Route) { r.Upstream = nil })},
		"key header":       {testRoute(t, "a", "/", func(r *Route) { r.KeyHeader = "authorization" })},
		"socket with POST": {testRoute(t, "a", "/", methods("POST"), func(r *Route) { r.WebSocket = true })},
		"parameter twice":  {testRoute(t, "a", "/{x}/{x}")},
		"type alone":       {testRoute(t, "a", "/", func(r *Route) { r.ResourceType = "Site" })},
		"unknown part":     {testRoute(t, "a", "/", func(r *Route) { r.ResourceType, r.ResourceID = "Site", "{id}" })},
		"open brace":       {testRoute(t, "a", "/", func(r *Route) { r.ResourceType, r.ResourceID = "Site", "{path" })},
		"rewrite to file":  {testRoute(t, "a", "/x/", func(r *Route) { r.Rewrite = "/y" })},
		"rewrite with dot": {testRoute(t, "a", "/x/", func(r *Route) { r.Rewrite = "/y/../z/" })},
	} {
		if _, err := newTable(routes); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestResource(t *testing.T) {
	t.Parallel()
	table, err := newTable([]Route{
		testRoute(t, "plain", "/plain"),
		testRoute(t, "roles", "/roles/{id}", func(r *Route) { r.Roles, r.ResourceType, r.ResourceID = []string{"reader"}, "Site", "{id}" }),
		testRoute(t, "param", "/sites/{id}/{kind}", func(r *Route) { r.ResourceType, r.ResourceID = "Site", "{id}:{kind}" }),
		testRoute(t, "path", "/files/", func(r *Route) { r.ResourceType, r.ResourceID = "File", "/{path}" }),
		testRoute(t, "query", "/query", func(r *Route) { r.ResourceType, r.ResourceID = "Site", "{query.site}" }),
	})
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"/plain":                         "Route::plain",
		"/roles/7":                       "Route::roles",
		"/sites/7/a%20b":                 "Site::7:a b",
		"/files/a/b%20c":                 "File::/a/b c",
		"/query?site=7":                  "Site::7",
		"/query?x=1&site=%37":            "Site::7",
		"/query":                         "error",
		"/query?site=7&site=8":           "error",
		"/query?site=7;x=1":              "error",
		"/query?site=7&s%69te=8":         "error",
		"/query?site=7&y=%zz":            "error",
		"/sites/7%2F..%2F8/x":            "Site::7/../8:x", // never reached: such a path has no canonical form
		"/sites/%7Bquery.site%7D/x?site": "Site::{query.site}:x",
	} {
		path, query, _ := strings.Cut(in, "?")
		m, _, ok := table.find("default", "", path, "GET")
		if !ok {
			t.Fatalf("%s: no route", in)
		}
		r, err := m.policyResource(query)
		got := r.Type + "::" + r.ID
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestActions(t *testing.T) {
	t.Parallel()
	c, err := compile(testRoute(t, "sites", "/"))
	if err != nil {
		t.Fatal(err)
	}
	for method, want := range map[string]string{"GET": "sites:get", "HEAD": "sites:get", "POST": "sites:post", "PURGE": "sites:purge"} {
		if got := c.action(method); got != want {
			t.Errorf("%s: %s", method, got)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	table, err := newTable([]Route{testRoute(b, "a", "/v1/reports/"), testRoute(b, "b", "/v1/sites/{id}/data"), testRoute(b, "c", "/")})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		table.find("default", "gate.example", "/v1/sites/17/data", "GET")
	}
}
