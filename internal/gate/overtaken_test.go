package gate_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/gateway"
	"gatehouse.dev/internal/policy"
)

// afterPolicy is a door at which something happens between the first verdict of
// policy and what comes of it.
type afterPolicy struct {
	gateway.Door
	meanwhile func()
}

func (d *afterPolicy) Allow(ctx context.Context, r policy.Request) error {
	err := d.Door.Allow(ctx, r)
	if f := d.meanwhile; f != nil {
		d.meanwhile = nil
		f()
	}
	return err
}

// TestRevokedWhilePolicyDecides: what has ended before the backend is asked does
// not reach it, however short the request is.
func TestRevokedWhilePolicyDecides(t *testing.T) {
	t.Parallel()
	door := &afterPolicy{}
	s := newSite(t, options{
		routes: []gateway.Route{
			route("pages", "/pages/"), route("socket", "/socket", func(r *gateway.Route) { r.WebSocket = true }),
			route("message", "/message", accepting(gateway.Message), func(r *gateway.Route) {
				r.WebSocket, r.FirstMessage = true, gateway.FirstMessage{As: gateway.Key}
			}),
		},
		proxies: loopback,
		door:    func(_ *site, d gateway.Door) gateway.Door { door.Door = d; return door },
	})
	// Not parallel: one door for all.
	for _, c := range []struct{ name, path string }{{"Request", "/pages/x"}, {"ForwardAuth", "/-/forward-auth"}} {
		t.Run(c.name, func(t *testing.T) {
			ada := s.caller("ada-"+c.name, "test/reader")
			header := with(ada.key(), "X-Original-URI", "/pages/x", "X-Original-Method", "GET")
			door.meanwhile = func() { s.revoke(ada) }
			before := s.backend.requests()
			res, _ := s.ask("GET", c.path, header)
			if n := s.backend.requests() - before; res.StatusCode != http.StatusUnauthorized || n != 0 {
				t.Errorf("answered %d, and the backend was asked %d times", res.StatusCode, n)
			}
		})
	}
	t.Run("Socket", func(t *testing.T) {
		ada := s.caller("ada-socket", "test/reader")
		door.meanwhile = func() { s.revoke(ada) }
		before := s.backend.requests()
		_, res, err := s.dial("/socket", ada.key())
		if n := s.backend.requests() - before; err == nil || res.StatusCode != http.StatusUnauthorized || n != 0 {
			t.Errorf("%v, and the backend was asked %d times", err, n)
		}
	})
	t.Run("FirstMessage", func(t *testing.T) {
		ada := s.caller("ada-message", "test/reader")
		door.meanwhile = func() { s.revoke(ada) }
		before := s.backend.requests()
		ws, _, err := s.dial("/message", nil)
		s.must(err)
		s.must(ws.Write(t.Context(), 1, []byte(ada.Text.Reveal())))
		_, _, err = ws.Read(t.Context())
		if n := s.backend.requests() - before; err == nil || n != 0 {
			t.Errorf("%v, and the backend was asked %d times", err, n)
		}
	})
}

// TestChangedWhilePolicyDecides: a caller who keeps the right but is another than
// before goes on as who he is now.
func TestChangedWhilePolicyDecides(t *testing.T) {
	t.Parallel()
	door := &afterPolicy{}
	s := newSite(t, options{
		routes: []gateway.Route{route("pages", "/pages/")},
		door:   func(_ *site, d gateway.Door) gateway.Door { door.Door = d; return door },
	})
	ada := s.caller("ada", "test/reader", "test/writer")
	door.meanwhile = func() {
		change, err := s.Principals.RemoveRole(t.Context(), audit.By{}, ada.Principal, "test/writer")
		s.must(err)
		s.Tail.Await(t.Context(), change)
	}
	_, got := s.ask("GET", "/pages/x", ada.key())
	if got.Identity == nil {
		t.Fatal("not let through")
	}
	if diff := cmp.Diff([]string{"test/reader"}, got.Identity.Roles); diff != "" {
		t.Error(diff)
	}
}
