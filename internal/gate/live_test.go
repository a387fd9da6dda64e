package gate_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/gateway"
	"gatehouse.dev/internal/live"
	"gatehouse.dev/internal/revocation"
)

// streams is a backend of event streams and echoing sockets.
func streams(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Header.Get("Upgrade") != "":
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			return
		}
		defer c.CloseNow()
		if err := c.Write(r.Context(), websocket.MessageText, []byte(r.Header.Get("Gatehouse-Identity"))); err != nil {
			return
		}
		for {
			typ, b, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), typ, b) != nil {
				return
			}
		}
	case strings.HasSuffix(r.URL.Path, "/silent"):
		<-r.Context().Done()
	case strings.HasSuffix(r.URL.Path, "/flood"):
		for chunk := make([]byte, 64<<10); ; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	default:
		w.Header().Set("Content-Type", "text/event-stream")
		for {
			if _, err := fmt.Fprint(w, "data: x\n\n"); err != nil {
				return
			}
			w.(http.Flusher).Flush()
			select {
			case <-time.After(10 * time.Millisecond):
			case <-r.Context().Done():
				return
			}
		}
	}
}

func liveSite(t *testing.T) *site {
	return newSite(t, options{handler: http.HandlerFunc(streams), long: 30 * time.Millisecond, routes: []gateway.Route{
		route("events", "/events/"),
		route("socket", "/socket", func(r *gateway.Route) { r.WebSocket = true }),
		route("writers", "/writers", func(r *gateway.Route) { r.WebSocket, r.Roles = true, []string{"test/writer"} }),
	}})
}

// stream opens an event stream and reports when it ends, and how.
func (s *site) stream(c caller, path string) (ended chan error) {
	s.t.Helper()
	ended = make(chan error, 1)
	req, err := http.NewRequestWithContext(s.t.Context(), "GET", s.url+path, nil)
	s.must(err)
	req.Header = c.key()
	res, err := http.DefaultClient.Do(req)
	s.must(err)
	if res.StatusCode != 200 {
		s.t.Fatalf("stream: %d", res.StatusCode)
	}
	go func() {
		_, err := io.Copy(io.Discard, res.Body)
		res.Body.Close()
		ended <- err
	}()
	return ended
}

// open opens a socket and reports how it ends.
func (s *site) open(c caller, path string) (ended chan websocket.CloseError) {
	s.t.Helper()
	ws, _, err := s.dial(path, c.key())
	s.must(err)
	if _, statement, err := ws.Read(s.t.Context()); err != nil || strings.Count(string(statement), ".") != 2 {
		s.t.Fatalf("the backend got %q, %v", statement, err)
	}
	ended = make(chan websocket.CloseError, 1)
	go func() {
		for {
			if _, _, err := ws.Read(context.Background()); err != nil {
				var bye websocket.CloseError
				errors.As(err, &bye)
				ended <- bye
				return
			}
		}
	}()
	return ended
}

// TestRevocationEndsItsOwn: many sockets and downloads on one credential and
// as many on another; revoking one ends exactly its own, quickly, and counts
// right.
func TestRevocationEndsItsOwn(t *testing.T) {
	t.Parallel()
	s := liveSite(t)
	ada, bob := s.caller("ada", "test/reader"), s.caller("bob", "test/reader")
	const sockets, downloads = 100, 10
	var hers, his []chan websocket.CloseError
	var herStreams, hisStreams []chan error
	for range sockets {
		hers, his = append(hers, s.open(ada, "/socket")), append(his, s.open(bob, "/socket"))
	}
	for range downloads {
		herStreams, hisStreams = append(herStreams, s.stream(ada, "/events/x")), append(hisStreams, s.stream(bob, "/events/x"))
	}
	waitFor(t, "all conns in the index", func() bool { return s.Index.Len() == 2*(sockets+downloads) })

	closed, took := s.revoke(ada)
	if closed != sockets+downloads || took > 2*time.Second {
		t.Errorf("the receipt says %d in %v", closed, took)
	}
	for _, c := range hers {
		if bye := <-c; bye.Code != 1008 || bye.Reason != "revoked" {
			t.Fatalf("a socket ended with %v", bye)
		}
	}
	for _, c := range herStreams {
		if err := <-c; err == nil {
			t.Error("a stream ended as if it were complete")
		}
	}
	if res, _ := s.ask("GET", "/events/x", ada.key()); res.StatusCode != 401 {
		t.Errorf("the next request: %d", res.StatusCode)
	}
	if _, res, err := s.dial("/socket", ada.key()); err == nil || res.StatusCode != 401 {
		t.Errorf("the next socket: %v", err)
	}
	if n := s.Index.Len(); n != sockets+downloads {
		t.Errorf("%d conns are left, want %d", n, sockets+downloads)
	}
	for _, c := range his {
		select {
		case bye := <-c:
			t.Fatalf("another's socket ended with %v", bye)
		default:
		}
	}
	for _, c := range hisStreams {
		select {
		case err := <-c:
			t.Fatalf("another's stream ended with %v", err)
		default:
		}
	}
}

// TestRevocationOfStuck: a download whose caller does not read, and a request
// that the backend has not answered, end as well.
func TestRevocationOfStuck(t *testing.T) {
	t.Parallel()
	s := liveSite(t)
	ada := s.caller("ada", "test/reader")
	req, err := http.NewRequest("GET", s.url+"/events/flood", nil)
	s.must(err)
	req.Header = ada.key()
	res, err := http.DefaultClient.Do(req) // and never read
	s.must(err)
	defer res.Body.Close()
	answer := make(chan *http.Response, 1)
	go func() {
		req, _ := http.NewRequest("GET", s.url+"/events/silent", nil)
		req.Header = ada.key()
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Error(err)
			close(answer)
			return
		}
		answer <- res
	}()
	waitFor(t, "both in the index", func() bool { return s.Index.Len() == 2 })
	if closed, took := s.revoke(ada); closed != 2 || took > time.Second {
		t.Errorf("the receipt says %d in %v", closed, took)
	}
	if res := <-answer; res != nil && res.StatusCode != 401 {
		t.Errorf("the unanswered request: %d", res.StatusCode)
	}
}

// TestRoleTakenAway ends only what is no longer allowed.
func TestRoleTakenAway(t *testing.T) {
	t.Parallel()
	s := liveSite(t)
	ada := s.caller("ada", "test/reader", "test/writer")
	reads, writes, events := s.open(ada, "/socket"), s.open(ada, "/writers"), s.stream(ada, "/events/x")
	waitFor(t, "all in the index", func() bool { return s.Index.Len() == 3 })
	change, err := s.Principals.RemoveRole(t.Context(), audit.By{}, ada.Principal, "test/writer")
	s.must(err)
	s.Tail.Await(t.Context(), change)
	if bye := <-writes; bye.Code != 1008 {
		t.Errorf("the socket for writers ended with %v", bye)
	}
	time.Sleep(100 * time.Millisecond)
	select {
	case bye := <-reads:
		t.Errorf("the socket for readers ended with %v", bye)
	case err := <-events:
		t.Errorf("the stream ended with %v", err)
	default:
	}
}

// TestWaysOfEnding: each has its close code.
func TestWaysOfEnding(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end    func(s *site, c caller)
		code   websocket.StatusCode
		reason string
	}{
		"user disabled": {func(s *site, c caller) {
			_, err := s.Principals.Disable(s.t.Context(), audit.By{}, c.Principal)
			s.must(err)
			s.Tail.Nudge()
		}, 1008, "revoked"},
		"closed": {func(s *site, c caller) { s.Index.CloseConn(s.Index.List(live.Filter{})[0].ID) }, 1008, "closed by an administrator"},
		"route": {func(s *site, c caller) {
			_, err := s.Store.Revoke(s.t.Context(), revocation.Entry{Effect: revocation.End, Grounds: []revocation.Ground{{Kind: revocation.Route, ID: "socket"}}})
			s.must(err)
			s.Tail.Nudge()
		}, 1008, "revoked"},
		"draining": {func(s *site, c caller) { s.Index.Drain(s.t.Context(), time.Millisecond) }, 1001, "draining"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := liveSite(t)
			ada := s.caller("ada", "test/reader")
			ended := s.open(ada, "/socket")
			c.end(s, ada)
			select {
			case bye := <-ended:
				if bye.Code != c.code || bye.Reason != c.reason {
					t.Errorf("ended with %v", bye)
				}
			case <-time.After(5 * time.Second):
				t.Error("still open")
			}
		})
	}
}

// TestExpiry: what rests on a key that ends, ends with it.
func TestExpiry(t *testing.T) {
	t.Parallel()
	s := liveSite(t)
	ada := s.caller("ada", "test/reader")
	_, err := s.Credentials.SetConstraints(t.Context(), audit.By{}, ada.Credential, credential.Constraints{Expires: time.Now().Add(time.Second)})
	s.must(err)
	s.Tail.Nudge()
	s.open(ada, "/socket")
	for _, info := range s.Index.List(live.Filter{}) {
		if info.Identity.Expires.IsZero() {
			t.Error("the conn knows of no expiry")
		}
	}
	time.Sleep(1100 * time.Millisecond)
	if res, _ := s.ask("GET", "/events/x", ada.key()); res.StatusCode != 401 {
		t.Errorf("after expiry: %d", res.StatusCode)
	}
}

// TestRaceWithRevocation: requests and sockets opened while the key is being
// revoked never outlive the receipt.
func TestRaceWithRevocation(t *testing.T) {
	t.Parallel()
	s := liveSite(t)
	for round := range 5 {
		ada := s.caller(fmt.Sprint("ada", round), "test/reader")
		var receipt atomic.Bool
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 20 {
					after := receipt.Load()
					c, _, err := s.dial("/socket", ada.key())
					if err != nil {
						continue
					}
					if after {
						t.Error("a socket was opened after the receipt")
					}
					// It must end by itself, and soon.
					ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
					for err == nil {
						_, _, err = c.Read(ctx)
					}
					if ctx.Err() != nil && receipt.Load() {
						t.Error("a socket outlived the receipt")
					}
					cancel()
				}
			})
		}
		time.Sleep(time.Duration(round*7) * time.Millisecond)
		s.revoke(ada)
		receipt.Store(true)
		wg.Wait()
	}
}

func TestSocketRefusals(t *testing.T) {
	t.Parallel()
	s := liveSite(t)
	ada := s.caller("ada", "test/reader")
	key := "X-API-Key: " + ada.Text.Reveal() + "\r\n"
	upgrade := "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	for name, c := range map[string]struct {
		text string
		want int
	}{
		"no upgrade":      {"GET /socket HTTP/1.1\r\nHost: x\r\n" + key + "\r\n", 426},
		"wrong version":   {"GET /socket HTTP/1.1\r\nHost: x\r\n" + key + strings.Replace(upgrade, "13", "8", 1) + "\r\n", 426},
		"bad key":         {"GET /socket HTTP/1.1\r\nHost: x\r\n" + key + strings.Replace(upgrade, "dGhl", "", 1) + "\r\n", 400},
		"POST":            {"POST /socket HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n" + key + upgrade + "\r\n", 405},
		"no credential":   {"GET /socket HTTP/1.1\r\nHost: x\r\n" + upgrade + "\r\n", 401},
		"not allowed":     {"GET /writers HTTP/1.1\r\nHost: x\r\n" + key + upgrade + "\r\n", 403},
		"foreign page":    {"GET /socket HTTP/1.1\r\nHost: gate.example\r\nOrigin: https://evil.example\r\n" + key + upgrade + "\r\n", 403},
		"own page":        {"GET /socket HTTP/1.1\r\nHost: gate.example:81\r\nOrigin: http://gate.example:81\r\n" + key + upgrade + "\r\n", 101},
		"usual port":      {"GET /socket HTTP/1.1\r\nHost: gate.example\r\nOrigin: http://gate.example:80\r\n" + key + upgrade + "\r\n", 101},
		"another port":    {"GET /socket HTTP/1.1\r\nHost: gate.example:81\r\nOrigin: http://gate.example\r\n" + key + upgrade + "\r\n", 403},
		"another scheme":  {"GET /socket HTTP/1.1\r\nHost: gate.example\r\nOrigin: https://gate.example\r\n" + key + upgrade + "\r\n", 403},
		"upgrade on HTTP": {"GET /events/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + key + strings.Replace(upgrade, "Upgrade\r\n", "close, Upgrade\r\n", 1) + "\r\n", 200},
	} {
		t.Run(name, func(t *testing.T) {
			if res := s.raw(c.text); res.StatusCode != c.want {
				t.Errorf("%d, want %d", res.StatusCode, c.want)
			}
		})
	}
}
