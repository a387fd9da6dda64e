package relay

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/gobwas/ws"

	"gatehouse.dev/internal/gateway/canonical"
	"gatehouse.dev/internal/gateway/hygiene"
	"gatehouse.dev/internal/gateway/upstream"
	"gatehouse.dev/internal/socket"
)

// gate is a front that relays everybody, with a backend behind it.
type gate struct {
	*httptest.Server
	options Options
	hooks   Hooks
	relays  chan *Relay
	closed  atomic.Int32
	backend *httptest.Server
}

func newGate(t testing.TB, backend http.HandlerFunc, change func(*gate)) *gate {
	t.Helper()
	wheel := socket.NewWheel()
	go wheel.Run(t.Context())
	g := &gate{options: Options{Wheel: wheel}, relays: make(chan *Relay, 100)}
	if change != nil {
		change(g)
	}
	g.backend = httptest.NewServer(backend)
	t.Cleanup(g.backend.Close)
	pool, err := upstream.New(upstream.Config{Name: "b", Addresses: []string{g.backend.URL}})
	if err != nil {
		t.Fatal(err)
	}
	g.hooks.Closed = func() { g.closed.Add(1) }
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, _ := canonical.Parse(r.URL.EscapedPath())
		rules := &hygiene.Rules{}
		peer, res, err := Dial(r.Context(), Opening{Upstream: pool, Path: path, Query: r.URL.RawQuery, Header: rules.Request(r)})
		switch {
		case err != nil:
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		case res != nil:
			w.WriteHeader(res.StatusCode)
			io.Copy(w, res.Body)
			return
		}
		relay := g.options.New(g.hooks)
		g.relays <- relay
		relay.Start(w, r, peer)
	}))
	t.Cleanup(g.Close)
	return g
}

func (g *gate) dial(t testing.TB, o *websocket.DialOptions) *websocket.Conn {
	t.Helper()
	c, _, err := websocket.Dial(t.Context(), g.URL+"/echo?x=%2f", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow() })
	c.SetReadLimit(1 << 22)
	return c
}

// rawDial is a caller that writes frames by hand.
func (g *gate) rawDial(t testing.TB, extra string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", g.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"+extra)
	in := bufio.NewReader(c)
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode != 101 || res.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("handshake: %v, %v", res, err)
	}
	return c, in
}

// echo is a backend of another library than the relay's callers.
func echo(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"v2"}, CompressionMode: websocket.CompressionContextTakeover, InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer c.CloseNow()
	c.SetReadLimit(1 << 22)
	for {
		typ, b, err := c.Read(r.Context())
		if err != nil {
			return
		}
		if c.Write(r.Context(), typ, b) != nil {
			return
		}
	}
}

// script is a backend that writes frames by hand.
func script(f func(c net.Conn, in io.Reader)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, rw, _, err := ws.UpgradeHTTP(r, w)
		if err != nil {
			return
		}
		defer c.Close()
		f(c, rw)
	}
}

func waitFor(t testing.TB, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain")
		}
	}
}

// readFrame reads a frame of a peer that this test trusts.
func readFrame(r io.Reader) (ws.Frame, error) {
	h, err := ws.ReadHeader(r)
	if err != nil {
		return ws.Frame{}, err
	}
	f := ws.Frame{Header: h, Payload: make([]byte, h.Length)}
	_, err = io.ReadFull(r, f.Payload)
	return f, err
}
