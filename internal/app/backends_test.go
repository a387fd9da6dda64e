package app_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"gatehouse.dev/client/fieldpine"
	"gatehouse.dev/internal/app/apptest"
)

// moodyFieldpine leads to a backend that does as the action says.
const moodyFieldpine = `
fieldpine:
  plain_text: true
  endpoints:
    - {action: fd1.products.*, upstream: moody}
`

const moodyRoute = `
  - {name: moody, path: /moody/, websocket: true, credentials: [key], roles: [ayyeka/operator], upstream: moody}
`

// moody is a backend that hangs, dies, or says more than anybody wants to hear.
func moody(done <-chan struct{}) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:] {
		case "hang":
			select {
			case <-done:
			case <-r.Context().Done():
			}
		case "die":
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, `[{"half":`)
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case "much":
			io.WriteString(w, `["`+strings.Repeat("x", 200<<10)+`"]`)
		case "vanish": // a socket whose backend is gone after one message
			c, err := websocket.Accept(w, r, nil)
			if err != nil {
				return
			}
			c.Write(r.Context(), websocket.MessageText, []byte("bye"))
			c.CloseNow()
		default:
			io.WriteString(w, `[]`)
		}
	})
}

func startMoody(t *testing.T) *apptest.House {
	t.Helper()
	done := make(chan struct{})
	backend := httptest.NewServer(moody(done))
	t.Cleanup(backend.Close)
	t.Cleanup(func() { close(done) })
	return apptest.Start(t, apptest.Options{
		Upstreams: "moody: {urls: ['" + backend.URL + "'], response_timeout: 1s}",
		Dialects:  moodyFieldpine, Routes: moodyRoute,
		Extra: "limits: {header_timeout: 2s}",
	})
}

// TestMoodyBackend: a backend that hangs or dies in the middle of its answer is
// an error to the one who asked, in the words of the protocol, and to nobody else.
func TestMoodyBackend(t *testing.T) {
	t.Parallel()
	h := startMoody(t)
	key := h.Admin.Credential(t, h.Admin.Client(t, "till", "fieldpine/shop", "ayyeka/operator"), "api_key", "")
	c := dialShop(t, h, key.Secret)
	var all sync.WaitGroup
	for action, want := range map[string]int{"hang": 504, "die": 502, "well": 200} {
		all.Go(func() {
			got := 200
			var refused *fieldpine.Error
			if err := c.Call(t.Context(), fieldpine.Request{Action: "fd1.products." + action}, nil); errors.As(err, &refused) {
				got = refused.Code
			} else if err != nil {
				t.Errorf("%s: %v", action, err)
			}
			if got != want {
				t.Errorf("%s: %d, want %d", action, got, want)
			}
		})
	}
	// A backend that answers something else than a handshake is passed on.
	for path, want := range map[string]int{"hang": http.StatusGatewayTimeout, "nothing": http.StatusOK} {
		all.Go(func() {
			_, res, err := websocket.Dial(t.Context(), socketURL(h)+"/moody/"+path, &websocket.DialOptions{HTTPHeader: http.Header{"X-Api-Key": {key.Secret}}})
			if err == nil || res == nil || res.StatusCode != want {
				t.Errorf("a socket at %s: %v, %v", path, res, err)
			}
		})
	}
	all.Wait()

	gone, _, err := websocket.Dial(t.Context(), socketURL(h)+"/moody/vanish", &websocket.DialOptions{HTTPHeader: http.Header{"X-Api-Key": {key.Secret}}})
	if err != nil {
		t.Fatal(err)
	}
	defer gone.CloseNow()
	if text, err := first(t, gone); text != "bye" || err != nil {
		t.Errorf("before the backend vanished: %q, %v", text, err)
	}
	if _, err := first(t, gone); websocket.CloseStatus(err) != 1014 {
		t.Errorf("after the backend vanished: %v, want 1014", err)
	}
}

// TestNeverReads: a client that asks for much and reads nothing is cut, and what
// it was owed is forgotten.
func TestNeverReads(t *testing.T) {
	t.Parallel()
	h := startMoody(t)
	key := h.Admin.Credential(t, h.Admin.Client(t, "till", "fieldpine/shop"), "api_key", "")
	f := meet(t, h, tills(key.Secret), 0)
	awaitHeld(t, h, 1)
	for i := range 200 { // of 200 KiB each
		if _, err := f.Write(said(fmt.Sprintf(`{"a":"fd1.products.much","rq":"%d"}`, i))); err != nil {
			break
		}
		time.Sleep(5 * time.Millisecond) // below the bound of requests at once
	}
	began := time.Now()
	for heldAt(t, h) > 0 {
		if time.Since(began) > 40*time.Second {
			t.Fatal("the socket is still held")
		}
		time.Sleep(50 * time.Millisecond)
	}
	if end, texts := f.fate(10 * time.Second); end == "open" || len(texts) == 200 {
		t.Errorf("after %d answers the socket is %s", len(texts), end)
	}
}

// TestHalfOpen: thousands that begin a handshake and say no more keep nobody out,
// and are gone when the time for headers is over.
func TestHalfOpen(t *testing.T) {
	if testing.Short() {
		t.Skip("opens thousands of connections")
	}
	h := startMoody(t)
	key := h.Admin.Credential(t, h.Admin.Client(t, "one", "ayyeka/operator"), "api_key", "")
	wantStatus(t, h, withKey(key.Secret), http.StatusOK)
	before := count()
	const many = 2000
	at := strings.TrimPrefix(h.Gate, "http://")
	began := time.Now()
	conns := make([]net.Conn, many)
	for i := range conns {
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "GET /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgr")
		conns[i] = c
	}
	if !echoed(t, h, key.Secret) {
		t.Error("nobody else gets through")
	}
	for i, c := range conns {
		c.SetReadDeadline(time.Now().Add(15 * time.Second))
		// Either nothing but the end, or a word about it.
		if _, err := io.Copy(io.Discard, bufio.NewReader(c)); err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
			t.Fatalf("handshake %d of %d is still open after %v: %v", i, many, time.Since(began), err)
		}
		c.Close()
	}
	t.Logf("all were gone after %v", time.Since(began))
	before.compare(t)
}
