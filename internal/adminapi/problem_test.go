package adminapi_test

import (
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gatehouse.dev/internal/adminapi"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/store"
)

func TestProblems(t *testing.T) {
	t.Parallel()
	in, root := setup(t)
	user := in.User(in.Default, "ada")
	const marked = "Marked-Secret-4711"
	send := func(method, path, contentType, body string) reply {
		req := httptest.NewRequestWithContext(t.Context(), method, adminapi.Base+path, strings.NewReader(body))
		if contentType != "" {
			req.Header.Set("Content-Type", contentType)
		}
		req.Header.Set("Authorization", "Bearer "+root.key.Reveal())
		return root.send(req)
	}
	for name, c := range map[string]struct {
		method, path, contentType, body string
		status                          int
	}{
		"no path":            {"GET", "/v1/nothing", "", "", 404},
		"outside":            {"GET", "/../etc/passwd", "", "", 404},
		"method":             {"PUT", "/v1/users", "application/json", "{}", 405},
		"preflight":          {"OPTIONS", "/v1/users", "", "", 405},
		"media type":         {"POST", "/v1/users", "text/plain", `{"name":"x"}`, 415},
		"form":               {"POST", "/v1/users", "application/x-www-form-urlencoded", "name=x", 415},
		"large":              {"POST", "/v1/users", "application/json", `{"name":"` + strings.Repeat("x", 70<<10) + `"}`, 413},
		"larger":             {"PUT", "/v1/policy", "application/json", `{"version":0,"cedar":"` + strings.Repeat("x", 600<<10) + `"}`, 413},
		"no JSON":            {"POST", "/v1/users", "application/json", `{"name":`, 400},
		"no body":            {"POST", "/v1/users", "application/json", "", 400},
		"wrong type":         {"POST", "/v1/credentials", "application/json", `{"principal":"` + user.ID + `","kind":"password","password":["` + marked + `"]}`, 422},
		"unknown member":     {"POST", "/v1/users", "application/json", `{"name":"x","passwort":"` + marked + `"}`, 422},
		"weak password":      {"POST", "/v1/credentials", "application/json", `{"principal":"` + user.ID + `","kind":"password","password":"ada-` + marked + `"}`, 422},
		"password of a key":  {"POST", "/v1/credentials", "application/json", `{"principal":"` + user.ID + `","kind":"api_key","password":"` + marked + `"}`, 422},
		"no token":           {"POST", "/v1/tokens/revoke", "application/json", `{"token":"` + marked + `"}`, 422},
		"NUL":                {"POST", "/v1/users", "application/json", `{"name":"a\u0000b"}`, 422},
		"control":            {"POST", "/v1/users", "application/json", `{"name":"a\u001bb"}`, 422},
		"unknown parameter":  {"GET", "/v1/users?nam=x", "", "", 422},
		"doubled parameter":  {"GET", "/v1/users?tenant=default&tenant=acme", "", "", 400},
		"malformed query":    {"GET", "/v1/users?a=%zz", "", "", 400},
		"odd limit":          {"GET", "/v1/users?limit=100000", "", "", 422},
		"unknown role":       {"POST", "/v1/users", "application/json", `{"name":"x","roles":["nobody/knows"]}`, 422},
		"name taken":         {"POST", "/v1/users", "application/json", `{"name":"ADA"}`, 409},
		"wrong kind of path": {"GET", "/v1/clients/" + user.ID, "", "", 404},
		"odd duration":       {"POST", "/v1/clients", "application/json", `{"name":"x","reuse_window":"soon"}`, 422},
		"odd network":        {"POST", "/v1/credentials", "application/json", `{"principal":"` + user.ID + `","kind":"api_key","networks":["10.0.0.0/40"]}`, 422},
	} {
		t.Run(name, func(t *testing.T) {
			r := send(c.method, c.path, c.contentType, c.body)
			r.t = t
			r.want(c.status)
			if strings.Contains(r.text, marked) {
				t.Errorf("the answer repeats what was sent: %s", r.text)
			}
			if c.status == 405 && r.header.Get("Allow") == "" {
				t.Error("no Allow header")
			}
		})
	}
}

// What is wrong inside is not for callers: neither the text of an error nor a
// panic.
func TestFailuresInside(t *testing.T) {
	t.Parallel()
	in, root := setup(t)
	for name, c := range map[string]struct {
		err    error
		status int
	}{
		"unknown error": {errors.New("dsn=postgres://secret"), 500},
		"unavailable":   {errors.Join(store.ErrUnavailable, errors.New("dsn=postgres://secret")), 503},
		"out of time":   {context.DeadlineExceeded, 503},
		"panic":         {nil, 500},
	} {
		conf := in.Config
		conf.Policies = brokenPolicies{err: c.err}
		r := as{t, adminapi.New(conf), root.key}.do("GET", "/v1/policy", nil).want(c.status)
		if strings.Contains(r.text, "secret") {
			t.Errorf("%s: the answer shows what happened inside: %s", name, r.text)
		}
		if c.status == 503 && r.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", name)
		}
	}
}

type brokenPolicies struct {
	policy.Store
	err error
}

func (b brokenPolicies) PolicySet(context.Context, string) (policy.Set, error) {
	if b.err == nil {
		panic("dsn=postgres://secret")
	}
	return policy.Set{}, b.err
}

// A body that never ends is cut off, whatever it claims.
func TestEndlessBody(t *testing.T) {
	t.Parallel()
	_, root := setup(t)
	req := httptest.NewRequestWithContext(t.Context(), "POST", "/api/v1/users", endless{})
	req.Header.Set("Authorization", "Bearer "+root.key.Reveal())
	req.Header.Set("Content-Type", "application/json")
	root.send(req).want(413)
}

// The write deadline is the connection's: it must not outlive the request.
func TestDeadlineIsTakenAway(t *testing.T) {
	t.Parallel()
	_, root := setup(t)
	w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	root.handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/api/openapi.json", nil))
	if len(w.set) != 2 || w.set[0].IsZero() || !w.set[1].IsZero() {
		t.Errorf("deadlines set: %v", w.set)
	}
}

type deadlines struct {
	*httptest.ResponseRecorder
	set []time.Time
}

func (d *deadlines) SetWriteDeadline(t time.Time) error {
	d.set = append(d.set, t)
	return nil
}

type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}

var _ io.Reader = endless{}
