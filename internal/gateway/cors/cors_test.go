package cors

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var strict = &Policy{
	Origins: []string{"https://app.example"}, Headers: []string{"Authorization"}, Expose: []string{"X-Total"},
	Credentials: true, MaxAge: 10 * time.Minute,
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	vary := []string{"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"}
	for name, c := range map[string]struct {
		policy *Policy
		origin string
		want   http.Header
	}{
		"allowed": {strict, "https://app.example", http.Header{
			"Vary": vary, "Access-Control-Allow-Origin": {"https://app.example"}, "Access-Control-Allow-Credentials": {"true"},
			"Access-Control-Allow-Methods": {"GET, POST"}, "Access-Control-Allow-Headers": {"Authorization"}, "Access-Control-Max-Age": {"600"},
		}},
		"another origin": {strict, "https://app.example.evil", http.Header{"Vary": vary}},
		"null":           {strict, "null", http.Header{"Vary": vary}},
		"any": {&Policy{Origins: []string{"*"}}, "https://x", http.Header{
			"Vary": vary, "Access-Control-Allow-Origin": {"*"}, "Access-Control-Allow-Methods": {"GET, POST"},
		}},
		"no policy": {nil, "https://x", http.Header{"Vary": vary}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest("OPTIONS", "/", nil)
			r.Header.Set("Origin", c.origin)
			r.Header.Set("Access-Control-Request-Method", "POST")
			if m, ok := IsPreflight(r); !ok || m != "POST" {
				t.Fatalf("IsPreflight = %q, %v", m, ok)
			}
			w := httptest.NewRecorder()
			c.policy.Preflight(w, r, []string{"GET", "POST"})
			if diff := cmp.Diff(c.want, w.Header()); diff != "" || w.Code != 204 {
				t.Errorf("%d (-want +got):\n%s", w.Code, diff)
			}
		})
	}
}

func TestIsPreflight(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]http.Header{
		"no origin":   {"Access-Control-Request-Method": {"GET"}},
		"no method":   {"Origin": {"https://x"}},
		"two methods": {"Origin": {"https://x"}, "Access-Control-Request-Method": {"GET", "PUT"}},
	} {
		if _, ok := IsPreflight(&http.Request{Method: "OPTIONS", Header: h}); ok {
			t.Errorf("%s: taken for a preflight", name)
		}
	}
}

func TestAmend(t *testing.T) {
	t.Parallel()
	backend := func() http.Header {
		return http.Header{"Access-Control-Allow-Origin": {"*"}, "Access-Control-Allow-Private-Network": {"true"}, "Content-Type": {"text/plain"}}
	}
	h := backend()
	strict.Amend(h, "https://app.example")
	want := http.Header{
		"Vary": {"Origin"}, "Access-Control-Allow-Origin": {"https://app.example"}, "Access-Control-Allow-Credentials": {"true"},
		"Access-Control-Expose-Headers": {"X-Total"}, "Content-Type": {"text/plain"},
	}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	h = backend()
	strict.Amend(h, "https://evil")
	if diff := cmp.Diff(http.Header{"Vary": {"Origin"}, "Content-Type": {"text/plain"}}, h); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
