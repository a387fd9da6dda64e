package ayyeka

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/dialect"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/inbound"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/tenant"
	"gatehouse.dev/internal/token"
)

// door stands for authn where a test wants one certain verdict; that the real
// one reaches it is for the recordings.
type door struct {
	attempt authn.Attempt
	asked   policy.Request
	believe error
	allow   error
	id      *identity.Identity
}

func (d *door) Login(_ context.Context, a authn.Attempt) (*identity.Identity, error) {
	d.attempt = a
	return d.id, d.believe
}

func (d *door) Check(_ context.Context, a authn.Attempt) (*identity.Identity, error) {
	d.attempt = a
	return d.id, d.believe
}

func (d *door) Renew(_ context.Context, id *identity.Identity, _ netip.Addr) (*identity.Identity, error) {
	return id, d.believe
}

func (d *door) Allow(_ context.Context, r policy.Request) error {
	d.asked = r
	return d.allow
}

type issuer struct {
	request token.Request
	err     error
}

func (i *issuer) Issue(_ context.Context, r token.Request) (token.Issued, error) {
	i.request = r
	return token.Issued{Token: secret.New("aa.bb.cc"), Remains: 1800 * time.Second}, i.err
}

// upstream answers 204, or fails as told; it keeps what it was given.
type upstream struct {
	got    dialect.Forward
	called bool
	status int
}

func (u *upstream) Forward(w http.ResponseWriter, _ *http.Request, f dialect.Forward) {
	u.got, u.called = f, true
	if u.status != 0 {
		f.Fail(u.status, "the upstream cannot be reached")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

type kit struct {
	door     *door
	issuer   *issuer
	upstream *upstream
	log      *strings.Builder
	handler  http.Handler
}

var someone = &identity.Identity{
	Tenant: "ten_a", TenantNumber: 1001, Principal: "cli_a", PrincipalNumber: 1002, Secret: "sec_a", SecretNumber: 1003,
	Roles: []string{Operator}, ReuseWindow: time.Minute, NotBefore: time.Unix(1767225600, 0),
	Grounds: []revocation.Ground{{Kind: revocation.Tenant, ID: "ten_a"}}, AsOf: revocation.Position{N: 7},
}

func newKit(t *testing.T, c Config) *kit {
	t.Helper()
	k := &kit{door: &door{id: someone}, issuer: &issuer{}, upstream: &upstream{}, log: &strings.Builder{}}
	d, err := New(Server{Config: c, Door: k.door, Issuer: k.issuer, Upstream: k.upstream, Logger: slog.New(slog.NewTextHandler(k.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	k.handler = d.Handler
	return k
}

var facts = inbound.Facts{Tenant: tenant.Tenant{ID: "ten_a", Number: 1001}, Remote: netip.MustParseAddr("192.0.2.7"), RequestID: "req_0123456789abcdefk3f09xqa"}

func (k *kit) do(t *testing.T, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	k.handler.ServeHTTP(w, r.WithContext(inbound.With(t.Context(), &facts)))
	return w
}

func tokenPost() *http.Request {
	r := httptest.NewRequest("POST", "/auth/token", strings.NewReader("grant_type=client_credentials"))
	r.Header.Set("Content-Type", formType)
	r.Header.Set("Authorization", exampleBasic)
	return r
}

func apiGet(path string) *http.Request {
	r := httptest.NewRequest("GET", path, nil)
	r.Header.Set("Authorization", "Bearer aa.bb.cc")
	return r
}

// challenges are read under the one spelling that is sent.
func challenges(w http.ResponseWriter) []string {
	//lint:ignore SA1008 the spelling is what is tested
	return w.Header()[challengeHeader]
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	type answer struct {
		Status                   int
		Body, Authenticate, Wait string
	}
	of := func(w *httptest.ResponseRecorder) answer {
		return answer{w.Code, w.Body.String(), strings.Join(challenges(w), "|"), w.Header().Get("Retry-After")}
	}
	const (
		realm      = `Basic realm="auth"`
		wrongToken = `{"message":"the access token is unknown or has expired","request_id":"k3f09xqa"}`
		wrongLogin = `{"error":"invalid_client","error_description":"incorrect credentials","message":"incorrect credentials","request_id":"k3f09xqa"}`
	)
	for name, c := range map[string]struct {
		err        error
		login, api answer
	}{
		"missing":   {&authn.Refusal{Kind: authn.Missing}, answer{401, wrongLogin, realm, ""}, answer{401, wrongToken, "Bearer", ""}},
		"malformed": {&authn.Refusal{Kind: authn.Malformed}, answer{401, wrongLogin, realm, ""}, answer{401, wrongToken, "Bearer", ""}},
		"invalid":   {&authn.Refusal{Kind: authn.Invalid, Reason: "locked"}, answer{401, wrongLogin, realm, ""}, answer{401, wrongToken, "Bearer", ""}},
		"expired":   {&authn.Refusal{Kind: authn.Expired}, answer{401, wrongLogin, realm, ""}, answer{401, wrongToken, "Bearer", ""}},
		"denied": {&authn.Refusal{Kind: authn.Denied}, answer{401, wrongLogin, realm, ""},
			answer{403, `{"message":"the permissions of this client do not cover this call","request_id":"k3f09xqa"}`, "", ""}},
		"throttled": {&authn.Refusal{Kind: authn.Throttled, RetryAfter: 1500 * time.Millisecond},
			answer{429, `{"error":"too_many_requests","error_description":"too many failures","message":"too many failures","request_id":"k3f09xqa"}`, "", "2"},
			answer{429, `{"message":"too many failures","request_id":"k3f09xqa"}`, "", "2"}},
		"unavailable": {&authn.Refusal{Kind: authn.Unavailable},
			answer{503, `{"error":"not_available","error_description":"not available","message":"not available","request_id":"k3f09xqa"}`, "", "1"},
			answer{503, `{"message":"not available","request_id":"k3f09xqa"}`, "", "1"}},
		"something else": {io.ErrUnexpectedEOF,
			answer{500, `{"error":"internal_server_error","error_description":"internal server error","message":"internal server error","request_id":"k3f09xqa"}`, "", ""},
			answer{500, `{"message":"internal server error","request_id":"k3f09xqa"}`, "", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newKit(t, Config{})
			k.door.believe = c.err
			if diff := cmp.Diff(c.login, of(k.do(t, tokenPost()))); diff != "" {
				t.Errorf("token service (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.api, of(k.do(t, apiGet("/v2.0/site")))); diff != "" {
				t.Errorf("API (-want +got):\n%s", diff)
			}
			if k.upstream.called {
				t.Error("the refused call was passed on")
			}
		})
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()

	t.Run("AttemptAndRequest", func(t *testing.T) {
		t.Parallel()
		k := newKit(t, Config{})
		r := tokenPost()
		r.Header.Set("Authorization", basic("k:a%2Bb"))
		if w := k.do(t, r); w.Code != 200 || w.Body.String() != `{"access_token":"aa.bb.cc","token_type":"JWT","expires_in":1800}` {
			t.Errorf("answer = %d %s", w.Code, w.Body)
		}
		a := k.door.attempt
		if a.Dialect != "ayyeka" || a.Method != identity.KeyPair || a.Tenant.ID != "ten_a" || a.Remote != facts.Remote || a.RequestID != facts.RequestID {
			t.Errorf("attempt = %+v", a)
		}
		if a.Name != "k" || a.Secret.Reveal() != "a%2Bb" || len(a.Alternatives) != 1 || a.Alternatives[0].Secret.Reveal() != "a+b" {
			t.Errorf("readings = %q %q, %d alternatives", a.Name, a.Secret.Reveal(), len(a.Alternatives))
		}
		got := k.issuer.request
		if want := (token.Ask{Tenant: "ten_a", Client: "cli_a", Secret: "sec_a"}); got.Ask != want {
			t.Errorf("ask = %+v, want %+v", got.Ask, want)
		}
		if got.Window != time.Minute || !got.NotBefore.Equal(someone.NotBefore) || got.AsOf != someone.AsOf || !cmp.Equal(got.Grounds, someone.Grounds) {
			t.Errorf("request = %+v", got)
		}
		if p := got.Profile; p.Alg != token.RS384 || p.Lifetime != time.Hour || p.KeyID || p.Use != "ayyeka" {
			t.Errorf("profile = %+v", p)
		}
		claims, err := token.Encode(got.Claims(time.Unix(100, 0), time.Unix(3700, 0))...)
		if want := `{"aud":"1001","exp":3700,"iat":100,"iss":"Cloud","sub":"1002:1003"}`; string(claims) != want || err != nil {
			t.Errorf("claims = %s, %v, want %s", claims, err, want)
		}
	})

	t.Run("NoSigningKey", func(t *testing.T) {
		t.Parallel()
		for _, c := range []struct {
			err  error
			want string
		}{
			{token.ErrNoKey, "there is no signing key yet"},
			{errors.New("the sky fell: key 17"), "not available"},
		} {
			k := newKit(t, Config{})
			k.issuer.err = c.err
			w := k.do(t, tokenPost())
			want := `{"error":"not_available","error_description":"` + c.want + `","message":"` + c.want + `","request_id":"k3f09xqa"}`
			if w.Code != 503 || w.Body.String() != want || w.Header().Get("Retry-After") != "5" {
				t.Errorf("answer = %d %s, want 503 %s", w.Code, w.Body, want)
			}
			if !strings.Contains(k.log.String(), c.err.Error()) {
				t.Errorf("the log does not say why: %s", k.log)
			}
		}
	})

	t.Run("UnreadableBody", func(t *testing.T) {
		t.Parallel()
		k := newKit(t, Config{})
		r := tokenPost()
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader("grant_type"), brokenReader{}))
		if w := k.do(t, r); w.Code != 400 || !strings.Contains(w.Body.String(), "could not be read") {
			t.Errorf("answer = %d %s", w.Code, w.Body)
		}
	})
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestCalls(t *testing.T) {
	t.Parallel()

	t.Run("PassedOnWithIdentity", func(t *testing.T) {
		t.Parallel()
		k := newKit(t, Config{})
		if w := k.do(t, apiGet("/v2.0/site?x=1")); w.Code != 204 {
			t.Errorf("status = %d", w.Code)
		}
		if a := k.door.attempt; a.Method != identity.JWT || a.Secret.Reveal() != "aa.bb.cc" || a.Profile.Alg != token.RS384 {
			t.Errorf("attempt = %+v", a)
		}
		want := policy.Request{Identity: someone, Action: "ayyeka:read", Resource: policy.Resource{Type: "AyyekaPath", ID: "/v2.0/site"}, Source: facts.Remote}
		if diff := cmp.Diff(want, k.door.asked, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("asked (-want +got):\n%s", diff)
		}
		if k.upstream.got.Identity != someone {
			t.Errorf("forwarded as %+v", k.upstream.got.Identity)
		}
	})

	t.Run("RecheckAsksBothAgain", func(t *testing.T) {
		t.Parallel()
		k := newKit(t, Config{})
		k.do(t, apiGet("/v2.0/site"))
		recheck := k.upstream.got.Recheck
		if id, err := recheck(t.Context()); id != someone || err != nil {
			t.Errorf("recheck = %v, %v", id, err)
		}
		k.door.allow = &authn.Refusal{Kind: authn.Denied}
		if _, err := recheck(t.Context()); err == nil {
			t.Error("recheck without the role passes")
		}
		k.door.allow, k.door.believe = nil, &authn.Refusal{Kind: authn.Invalid}
		if _, err := recheck(t.Context()); err == nil {
			t.Error("recheck with the token gone passes")
		}
	})

	t.Run("HealthIsForEverybody", func(t *testing.T) {
		t.Parallel()
		for method, open := range map[string]bool{"GET": true, "HEAD": true, "POST": false, "DELETE": false} {
			k := newKit(t, Config{})
			w := k.do(t, httptest.NewRequest(method, "/v2.0/health", nil))
			if k.upstream.called != open || k.upstream.got.Identity != nil || (w.Code == 401) == open {
				t.Errorf("%s /v2.0/health = %d", method, w.Code)
			}
		}
		k := newKit(t, Config{})
		if w := k.do(t, httptest.NewRequest("GET", "/v2.0/health/x", nil)); w.Code != 401 {
			t.Errorf("below health: status = %d", w.Code)
		}
	})

	t.Run("UpstreamTrouble", func(t *testing.T) {
		t.Parallel()
		for status, want := range map[int]string{
			502: `{"message":"the upstream cannot be reached","request_id":"k3f09xqa"}`,
			401: `{"message":"the access token is unknown or has expired","request_id":"k3f09xqa"}`,
		} {
			k := newKit(t, Config{})
			k.upstream.status = status
			w := k.do(t, apiGet("/v2.0/site"))
			if w.Code != status || w.Body.String() != want || (status == 401) != slices.Equal(challenges(w), []string{"Bearer"}) {
				t.Errorf("answer = %d %s %v", w.Code, w.Body, w.Header())
			}
		}
	})

	t.Run("Switches", func(t *testing.T) {
		t.Parallel()
		for _, c := range []struct {
			config Config
			header string
			open   bool
		}{
			{Config{}, "aa.bb.cc", false},
			{Config{}, "JWT aa.bb.cc", false},
			{Config{BareToken: true}, "aa.bb.cc", true},
			{Config{BareToken: true}, "JWT aa.bb.cc", false},
			{Config{JWTScheme: true}, "JWT aa.bb.cc", true},
			{Config{JWTScheme: true}, "aa.bb.cc", false},
		} {
			k := newKit(t, c.config)
			r := apiGet("/v2.0/site")
			r.Header.Set("Authorization", c.header)
			if k.do(t, r); k.upstream.called != c.open {
				t.Errorf("%+v: %q passed = %v", c.config, c.header, k.upstream.called)
			}
		}
	})

	t.Run("WithoutFactsNothingPasses", func(t *testing.T) {
		t.Parallel()
		k := newKit(t, Config{})
		w := httptest.NewRecorder()
		k.handler.ServeHTTP(w, apiGet("/v2.0/health"))
		if w.Code != 500 || k.upstream.called {
			t.Errorf("status = %d", w.Code)
		}
	})
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for _, lifetime := range []time.Duration{-time.Second, time.Millisecond, 1500 * time.Millisecond, 25 * time.Hour} {
		if _, err := New(Server{Config: Config{Lifetime: lifetime}}); err == nil {
			t.Errorf("took a lifetime of %v", lifetime)
		}
	}
}

func TestShortID(t *testing.T) {
	t.Parallel()
	if got := shortID(facts.RequestID); got != "k3f09xqa" {
		t.Errorf("shortID = %q", got)
	}
	for _, bad := range []string{"", "short", "req_UPPERCASE", "req_abc\"def"} {
		if got := shortID(bad); len(got) != 8 || strings.HasSuffix(bad, got) {
			t.Errorf("shortID(%q) = %q", bad, got)
		}
	}
}
