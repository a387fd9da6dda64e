package gateway

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/inbound"
)

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func TestAttempt(t *testing.T) {
	t.Parallel()
	all, err := compile(testRoute(t, "all", "/", func(r *Route) { r.Credentials, r.KeyQuery = []Credential{Bearer, Key, Basic}, "key" }))
	if err != nil {
		t.Fatal(err)
	}
	keyOnly, err := compile(testRoute(t, "key", "/", func(r *Route) { r.KeyHeader = "x-token" }))
	if err != nil {
		t.Fatal(err)
	}
	type H = http.Header
	hexKey := strings.Repeat("0A", 16)
	for name, c := range map[string]struct {
		route  *route
		header H
		query  string
		method identity.Method // or
		kind   authn.Kind
		name   string
		secret string
	}{
		"nothing":             {route: all, kind: authn.Missing},
		"jwt":                 {route: all, header: H{"Authorization": {"Bearer a.b.c"}}, method: identity.JWT, secret: "a.b.c"},
		"scheme in any case":  {route: all, header: H{"Authorization": {"bEARER a.b.c"}}, method: identity.JWT, secret: "a.b.c"},
		"opaque":              {route: all, header: H{"Authorization": {"Bearer  opaque "}}, method: identity.Opaque, secret: "opaque"},
		"bearer of nothing":   {route: all, header: H{"Authorization": {"Bearer"}}, kind: authn.Malformed},
		"two words":           {route: all, header: H{"Authorization": {"Bearer a b"}}, kind: authn.Malformed},
		"two headers":         {route: all, header: H{"Authorization": {"Bearer a", "Bearer a"}}, kind: authn.Malformed},
		"joined headers":      {route: all, header: H{"Authorization": {"Bearer a, Bearer b"}}, kind: authn.Malformed},
		"user":                {route: all, header: H{"Authorization": {"Basic " + b64("Ada:p:w")}}, method: identity.Password, name: "ada", secret: "p:w"},
		"key pair":            {route: all, header: H{"Authorization": {"Basic " + b64(hexKey+":s")}}, method: identity.KeyPair, name: hexKey, secret: "s"},
		"no colon":            {route: all, header: H{"Authorization": {"Basic " + b64("ada")}}, kind: authn.Malformed},
		"no name":             {route: all, header: H{"Authorization": {"Basic " + b64(":x")}}, kind: authn.Malformed},
		"name with NUL":       {route: all, header: H{"Authorization": {"Basic " + b64("a\x00b:x")}}, kind: authn.Malformed},
		"not UTF-8":           {route: all, header: H{"Authorization": {"Basic " + b64("a\xff:x")}}, kind: authn.Malformed},
		"not base64":          {route: all, header: H{"Authorization": {"Basic ada:x"}}, kind: authn.Malformed},
		"loose base64":        {route: all, header: H{"Authorization": {"Basic YTp4eZ=="}}, kind: authn.Malformed},
		"other scheme":        {route: all, header: H{"Authorization": {"Digest x"}}, kind: authn.Missing},
		"key":                 {route: all, header: H{"X-Api-Key": {"k"}}, method: identity.APIKey, secret: "k"},
		"two keys":            {route: all, header: H{"X-Api-Key": {"k", "k"}}, kind: authn.Malformed},
		"key in the query":    {route: all, query: "a=1&key=k%2B", method: identity.APIKey, secret: "k+"},
		"key twice in query":  {route: all, query: "key=a&key=a", kind: authn.Malformed},
		"key here and there":  {route: all, header: H{"X-Api-Key": {"k"}}, query: "key=k", kind: authn.Malformed},
		"key and token":       {route: all, header: H{"X-Api-Key": {"k"}, "Authorization": {"Bearer a"}}, kind: authn.Malformed},
		"token, not accepted": {route: keyOnly, header: H{"Authorization": {"Bearer a.b.c"}}, kind: authn.Missing},
		"query, not accepted": {route: keyOnly, query: "key=k", kind: authn.Missing},
		"own header":          {route: keyOnly, header: H{"X-Token": {"k"}}, method: identity.APIKey, secret: "k"},
		"token beside key":    {route: keyOnly, header: H{"X-Token": {"k"}, "Authorization": {"Bearer a"}}, method: identity.APIKey, secret: "k"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest("GET", "/", nil)
			r.Header = c.header
			m := match{route: c.route}
			a, refusal := m.attempt(r, c.query, &inbound.Facts{})
			if refusal != nil {
				if refusal.Kind != c.kind {
					t.Errorf("refused as %v (%s), want %v", refusal.Kind, refusal.Reason, c.kind)
				}
				return
			}
			if c.kind != 0 || a.Method != c.method || a.Name != c.name || a.Secret.Reveal() != c.secret || a.Dialect != Name {
				t.Errorf("attempt %s %q %q", a.Method, a.Name, a.Secret.Reveal())
			}
		})
	}
}

func FuzzAttempt(f *testing.F) {
	f.Add("Bearer a.b.c", "", "key=x")
	f.Add("Basic "+b64("a:b"), "k", "")
	all, err := compile(testRoute(f, "all", "/", func(r *Route) { r.Credentials, r.KeyQuery = []Credential{Bearer, Key, Basic}, "key" }))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, authorization, key, query string) {
		r := httptest.NewRequest("GET", "/", nil)
		if authorization != "" {
			r.Header["Authorization"] = []string{authorization}
		}
		if key != "" {
			r.Header["X-Api-Key"] = []string{key}
		}
		m := match{route: all}
		a, refusal := m.attempt(r, query, &inbound.Facts{})
		if refusal == nil && a.Method == "" {
			t.Error("an attempt by no method")
		}
		if refusal != nil && refusal.Reason == "" {
			t.Error("a refusal without a reason")
		}
	})
}

func TestReadOriginal(t *testing.T) {
	t.Parallel()
	type H = http.Header
	for name, c := range map[string]struct {
		header H
		want   original
		err    error
	}{
		"nginx":               {H{"X-Original-Uri": {"/a?b"}, "X-Original-Method": {"PUT"}}, original{"PUT", "/a?b", "asked.example", false}, nil},
		"traefik":             {H{"X-Forwarded-Uri": {"/a"}, "X-Forwarded-Method": {"GET"}, "X-Forwarded-Host": {"site.example"}}, original{"GET", "/a", "site.example", true}, nil},
		"nothing":             {H{}, original{}, errNoOriginal},
		"no method":           {H{"X-Original-Uri": {"/a"}}, original{}, errNoOriginal},
		"two URIs":            {H{"X-Original-Uri": {"/a", "/b"}, "X-Original-Method": {"GET"}}, original{}, errTwoOriginals},
		"forged other family": {H{"X-Original-Uri": {"/a"}, "X-Original-Method": {"GET"}, "X-Forwarded-Uri": {"/public"}}, original{}, errTwoOriginals},
		"forged other method": {H{"X-Original-Uri": {"/a"}, "X-Original-Method": {"DELETE"}, "X-Forwarded-Method": {"GET"}}, original{}, errTwoOriginals},
		"forged host":         {H{"X-Original-Uri": {"/a"}, "X-Original-Method": {"GET"}, "X-Forwarded-Host": {"other.example"}}, original{"GET", "/a", "asked.example", false}, nil},
		"lent method":         {H{"X-Original-Uri": {"/a"}, "X-Forwarded-Method": {"GET"}}, original{}, errTwoOriginals},
		"host of another":     {H{"X-Original-Uri": {"/a"}, "X-Original-Method": {"GET"}, "X-Forwarded-Uri": {"/a"}, "X-Forwarded-Method": {"GET"}, "X-Forwarded-Host": {"site.example"}}, original{}, errTwoOriginals},
		"both alike":          {H{"X-Original-Uri": {"/a"}, "X-Original-Method": {"GET"}, "X-Forwarded-Uri": {"/a"}, "X-Forwarded-Method": {"GET"}, "X-Forwarded-Host": {"asked.example:80"}}, original{"GET", "/a", "asked.example", false}, nil},
		"two hosts":           {H{"X-Forwarded-Uri": {"/a"}, "X-Forwarded-Method": {"GET"}, "X-Forwarded-Host": {"a", "b"}}, original{}, errTwoOriginals},
		"forged on traefik":   {H{"X-Original-Uri": {"/public"}, "X-Forwarded-Uri": {"/a"}, "X-Forwarded-Method": {"GET"}}, original{}, errTwoOriginals},
	} {
		r := httptest.NewRequest("GET", "/-/forward-auth", nil)
		r.Host, r.Header = "asked.example", c.header
		got, err := readOriginal(r)
		if err != c.err || err == nil && got != c.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
