package relay

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

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

func TestEcho(t *testing.T) {
	t.Parallel()
	for _, mode := range []websocket.CompressionMode{websocket.CompressionDisabled, websocket.CompressionNoContextTakeover, websocket.CompressionContextTakeover} {
		var received, sent atomic.Int64
		g := newGate(t, echo, func(g *gate) {
			g.options.MaxMessage = 1 << 22
			g.hooks.Received = func(int) { received.Add(1) }
			g.hooks.Sent = func(int) { sent.Add(1) }
		})
		c := g.dial(t, &websocket.DialOptions{Subprotocols: []string{"v1", "v2"}, CompressionMode: mode, CompressionThreshold: 1})
		if c.Subprotocol() != "v2" {
			t.Errorf("subprotocol %q", c.Subprotocol())
		}
		n := 0
		for _, size := range []int{0, 1, 100, 125, 126, 127, 4096, 65535, 65536, 100_000, 3_000_000} {
			b := make([]byte, size)
			rand.Read(b[:size/2])
			if err := c.Write(t.Context(), websocket.MessageBinary, b); err != nil {
				t.Fatal(err)
			}
			typ, back, err := c.Read(t.Context())
			if err != nil || typ != websocket.MessageBinary || string(back) != string(b) {
				t.Fatalf("mode %v: %d bytes came back as %d, %v", mode, size, len(back), err)
			}
			n++
		}
		if err := c.Close(websocket.StatusNormalClosure, "done"); err != nil {
			t.Errorf("close: %v", err)
		}
		if received.Load() != int64(n) || sent.Load() != int64(n) {
			t.Errorf("counted %d and %d of %d", received.Load(), sent.Load(), n)
		}
		waitFor(t, func() bool { return g.closed.Load() == 1 })
	}
}

// TestManyAtOnce interleaves messages both ways with pings.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	g := newGate(t, echo, func(g *gate) { g.options.PingEvery = 100 * time.Millisecond })
	c := g.dial(t, nil)
	const n = 2000
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range n {
			if err := c.Write(t.Context(), websocket.MessageText, fmt.Appendf(nil, "%d %s", i, strings.Repeat("x", i%300))); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for i := range n {
		_, b, err := c.Read(t.Context())
		if err != nil || !strings.HasPrefix(string(b), fmt.Sprint(i, " ")) {
			t.Fatalf("message %d: %.10q, %v", i, b, err)
		}
	}
	wg.Wait()
}

func waitFor(t testing.TB, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain")
		}
	}
}

// TestEnd: the gate's close code and reason reach the caller, and nothing
// passes afterwards, whatever the socket was doing.
func TestEnd(t *testing.T) {
	t.Parallel()
	talk := script(func(c net.Conn, in io.Reader) {
		for {
			if wsutil.WriteServerText(c, []byte(strings.Repeat("x", 1000))) != nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
	})
	for name, backend := range map[string]http.HandlerFunc{"idle": echo, "talking": talk} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGate(t, backend, nil)
			c := g.dial(t, nil)
			r := <-g.relays
			time.AfterFunc(50*time.Millisecond, func() {
				r.End(PolicyEnded, "revoked")
				r.End(GoingAway, "too late")
			})
			var err error
			for err == nil {
				_, _, err = c.Read(t.Context())
			}
			var bye websocket.CloseError
			if !errors.As(err, &bye) || bye.Code != 1008 || bye.Reason != "revoked" {
				t.Errorf("end: %v", err)
			}
			waitFor(t, func() bool { return g.closed.Load() == 1 })
		})
	}
}

func TestEndBeforeStart(t *testing.T) {
	t.Parallel()
	g := newGate(t, echo, nil)
	g.options.MaxMessage = 1 << 20
	relay := g.options.New(Hooks{})
	relay.End(TryAgain, "not fresh")
	near, far := net.Pipe()
	relay.caller = &side{name: "caller", conn: near, masked: true}
	other, backend := net.Pipe()
	relay.backend = &side{name: "backend", conn: other}
	go io.Copy(io.Discard, backend)
	relay.run()
	f, err := readFrame(far)
	if err != nil {
		t.Fatal(err)
	}
	if code, reason := ws.ParseCloseFrameData(f.Payload); code != 1013 || reason != "not fresh" {
		t.Errorf("%d %s", code, reason)
	}
}

// TestEndOfStuck: a caller who reads nothing is closed all the same.
func TestEndOfStuck(t *testing.T) {
	t.Parallel()
	g := newGate(t, script(func(c net.Conn, in io.Reader) {
		for wsutil.WriteServerBinary(c, make([]byte, 64<<10)) == nil {
		}
	}), nil)
	g.rawDial(t, "")
	r := <-g.relays
	time.Sleep(300 * time.Millisecond) // until the buffers are full
	start := time.Now()
	r.End(PolicyEnded, "revoked")
	waitFor(t, func() bool { return g.closed.Load() == 1 })
	if took := time.Since(start); took > time.Second {
		t.Errorf("took %v", took)
	}
}

// TestSlowReader: what a caller does not take is not kept for it.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	var written atomic.Int64
	g := newGate(t, script(func(c net.Conn, in io.Reader) {
		for wsutil.WriteServerBinary(c, make([]byte, 64<<10)) == nil {
			written.Add(64 << 10)
		}
	}), func(g *gate) { g.options.WriteTimeout = 300 * time.Millisecond })
	g.rawDial(t, "")
	waitFor(t, func() bool { return g.closed.Load() == 1 })
	if n := written.Load(); n > 64<<20 {
		t.Errorf("%d bytes were taken from the backend", n)
	}
}

func TestBackendGoes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		backend func(c net.Conn, in io.Reader)
		want    websocket.StatusCode
		reason  string
	}{
		"hangs up": {func(net.Conn, io.Reader) {}, 1014, "backend is gone"},
		"says bye": {func(c net.Conn, in io.Reader) {
			ws.WriteFrame(c, ws.NewCloseFrame(ws.NewCloseFrameBody(4007, "own words")))
			io.Copy(io.Discard, in)
		}, 4007, "own words"},
		"masks":             {func(c net.Conn, in io.Reader) { wsutil.WriteClientText(c, []byte("x")); io.Copy(io.Discard, in) }, 1001, ""},
		"unknown opcode":    {func(c net.Conn, in io.Reader) { c.Write([]byte{0x83, 0}); io.Copy(io.Discard, in) }, 1001, ""},
		"breaks off midway": {func(c net.Conn, in io.Reader) { c.Write([]byte{0x82, 126, 0xff, 0xff, 1, 2, 3}) }, 1014, "backend is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGate(t, script(c.backend), nil)
			_, _, err := g.dial(t, nil).Read(t.Context())
			var bye websocket.CloseError
			if !errors.As(err, &bye) || bye.Code != c.want || bye.Reason != c.reason {
				t.Errorf("end: %v", err)
			}
			waitFor(t, func() bool { return g.closed.Load() == 1 })
		})
	}
}

// TestCallerGoes: the backend hears of it, however it happens.
func TestCallerGoes(t *testing.T) {
	t.Parallel()
	masked := func(f ws.Frame) []byte { b, _ := ws.CompileFrame(ws.MaskFrame(f)); return b }
	for name, c := range map[string]struct {
		say    []byte
		caller ws.StatusCode // what the caller is told; 0: nothing
		want   ws.StatusCode // what the backend is told
	}{
		"hangs up":        {nil, 0, 1001},
		"not masked":      {[]byte{0x81, 1, 'x'}, 1002, 1001},
		"reserved bit":    {masked(ws.Frame{Header: ws.Header{Fin: true, Rsv: ws.Rsv(true, false, false), OpCode: ws.OpText}}), 1002, 1001},
		"unknown opcode":  {masked(ws.Frame{Header: ws.Header{Fin: true, OpCode: 0xb}}), 1002, 1001},
		"stray fragment":  {masked(ws.NewFrame(ws.OpContinuation, true, nil)), 1002, 1001},
		"new in fragment": {append(masked(ws.NewFrame(ws.OpText, false, nil)), masked(ws.NewTextFrame(nil))...), 1002, 1001},
		"long ping":       {masked(ws.NewPingFrame(make([]byte, 126))), 1002, 1001},
		"split ping":      {masked(ws.NewFrame(ws.OpPing, false, nil)), 1002, 1001},
		"long length":     {[]byte{0x82, 0x80 | 126, 0, 5, 0, 0, 0, 0}, 1002, 1001},
		"negative length": {[]byte{0x82, 0x80 | 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, 1002, 1001},
		"too big":         {[]byte{0x82, 0x80 | 127, 0, 0, 0, 0, 0, 0x10, 0, 1, 0, 0, 0, 0}, 1009, 1001},
		"bye of one byte": {masked(ws.NewCloseFrame([]byte{1})), 1002, 1001},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told := make(chan ws.StatusCode, 1)
			g := newGate(t, script(func(c net.Conn, in io.Reader) {
				for {
					f, err := readFrame(in)
					if err != nil {
						told <- 0
						return
					}
					if f.Header.OpCode == ws.OpClose {
						code, _ := ws.ParseCloseFrameData(ws.UnmaskFrame(f).Payload)
						told <- code
						return
					}
				}
			}), nil)
			conn, in := g.rawDial(t, "")
			if c.say == nil {
				conn.Close()
			} else {
				conn.Write(c.say)
				f, err := readFrame(in)
				if err != nil {
					t.Fatal(err)
				}
				if code, _ := ws.ParseCloseFrameData(f.Payload); f.Header.OpCode != ws.OpClose || code != c.caller {
					t.Errorf("the caller is told %v %d, want %d", f.Header.OpCode, code, c.caller)
				}
			}
			if code := <-told; code != c.want {
				t.Errorf("the backend is told %d, want %d", code, c.want)
			}
			waitFor(t, func() bool { return g.closed.Load() == 1 })
		})
	}
}

// TestEarlyFrames: what is sent along with either side of the handshake is not
// lost.
func TestEarlyFrames(t *testing.T) {
	t.Parallel()
	g := newGate(t, func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n\x81\x05hello",
			accept(r.Header.Get("Sec-WebSocket-Key")))
		b, _, err := wsutil.ReadClientData(rw)
		if err != nil {
			t.Error(err)
		}
		wsutil.WriteServerText(c, b)
		io.Copy(io.Discard, rw)
	}, nil)
	var early strings.Builder
	wsutil.WriteClientText(&early, []byte("already here"))
	_, in := g.rawDial(t, early.String())
	for _, want := range []string{"hello", "already here"} {
		f, err := readFrame(in)
		if err != nil || string(f.Payload) != want {
			t.Fatalf("%q, %v, want %q", f.Payload, err, want)
		}
	}
}

func TestDeadPeersAreFound(t *testing.T) {
	t.Parallel()
	for _, who := range []string{"caller", "backend"} {
		g := newGate(t, script(func(c net.Conn, in io.Reader) {
			if who == "caller" { // this one answers pings, the other nothing
				for {
					if _, _, err := wsutil.ReadClientData(struct {
						io.Reader
						io.Writer
					}{in, c}); err != nil {
						return
					}
				}
			}
			time.Sleep(5 * time.Second)
		}), func(g *gate) { g.options.PingEvery, g.options.PingsMissed = 100*time.Millisecond, 2 })
		if who == "caller" {
			g.rawDial(t, "")
		} else {
			c := g.dial(t, nil)
			c.CloseRead(t.Context())
		}
		waitFor(t, func() bool { return g.closed.Load() == 1 })
	}
}

// TestLivePeersStay: silence is fine as long as pings are answered, and the
// gate's pings and their answers stay between it and each side.
func TestLivePeersStay(t *testing.T) {
	t.Parallel()
	var strays atomic.Int32
	g := newGate(t, func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true,
			OnPongReceived: func(context.Context, []byte) { strays.Add(1) }})
		if err != nil {
			return
		}
		c.Read(r.Context())
	}, func(g *gate) { g.options.PingEvery, g.options.PingsMissed = 100*time.Millisecond, 2 })
	c := g.dial(t, &websocket.DialOptions{OnPongReceived: func(context.Context, []byte) { strays.Add(1) }})
	c.CloseRead(t.Context())
	time.Sleep(1500 * time.Millisecond)
	if g.closed.Load() != 0 || strays.Load() != 0 {
		t.Errorf("closed %d, %d stray pongs", g.closed.Load(), strays.Load())
	}
	if err := c.Ping(t.Context()); err != nil { // and the caller's own come back from the backend
		t.Error(err)
	}
}

// TestGoodbyeIsAnswered, or not waited for long.
func TestGoodbyeIsAnswered(t *testing.T) {
	t.Parallel()
	g := newGate(t, script(func(c net.Conn, in io.Reader) { io.Copy(io.Discard, in) }), func(g *gate) {
		g.options.CloseTimeout = 200 * time.Millisecond
	})
	c, in := g.rawDial(t, "")
	b, _ := ws.CompileFrame(ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(1000, ""))))
	c.Write(b)
	if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("end: %v", err)
	}
	waitFor(t, func() bool { return g.closed.Load() == 1 })
}

func TestPassRefuses(t *testing.T) {
	t.Parallel()
	g := newGate(t, echo, func(g *gate) {
		g.hooks.Pass = func(context.Context) error { return errors.New("not now") }
	})
	c := g.dial(t, nil)
	c.Write(t.Context(), websocket.MessageText, []byte("x"))
	if typ, b, err := c.Read(t.Context()); err == nil {
		t.Errorf("%v %q passed", typ, b)
	}
}

func TestBackendRefusesHandshake(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		backend http.HandlerFunc
		want    int
	}{
		"404": {func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no such feed", 404) }, 404},
		"200": {func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "a page") }, 200},
		"wrong proof": {func(w http.ResponseWriter, r *http.Request) {
			c, _, _ := http.NewResponseController(w).Hijack()
			io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: xxx\r\n\r\n")
			c.Close()
		}, 502},
		"protocol nobody asked for": {func(w http.ResponseWriter, r *http.Request) {
			c, _, _ := http.NewResponseController(w).Hijack()
			fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: odd\r\n\r\n", accept(r.Header.Get("Sec-WebSocket-Key")))
			c.Close()
		}, 502},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGate(t, c.backend, nil)
			_, res, err := websocket.Dial(t.Context(), g.URL, nil)
			if err == nil || res.StatusCode != c.want {
				t.Errorf("%v, %v", res, err)
			}
		})
	}
}

func FuzzHeader(f *testing.F) {
	for _, b := range []string{"\x81\x85abcd", "\x82\xfe\x01\x00abcd", "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", "\x88\x82abcd"} {
		f.Add([]byte(b), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, masked bool) {
		if len(b) < 2 {
			return
		}
		h, err := readHeader([2]byte(b), bufio.NewReader(strings.NewReader(string(b[2:]))), masked, true)
		if err != nil {
			return
		}
		want, err := ws.ReadHeader(strings.NewReader(string(b)))
		if err != nil || want.Length != h.length || want.OpCode != ws.OpCode(h.op) || want.Fin != h.fin || want.Masked != masked || masked && want.Mask != h.mask {
			t.Errorf("%x: %+v, the library reads %+v, %v", b, h, want, err)
		}
		if string(h.raw[:h.size]) != string(b[:h.size]) {
			t.Errorf("%x: would be passed on as %x", b, h.raw[:h.size])
		}
	})
}

func BenchmarkEcho(b *testing.B) {
	g := newGate(b, echo, nil)
	c := g.dial(b, nil)
	payload := make([]byte, 100)
	b.ReportAllocs()
	for b.Loop() {
		c.Write(b.Context(), websocket.MessageBinary, payload)
		if _, _, err := c.Read(b.Context()); err != nil {
			b.Fatal(err)
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
