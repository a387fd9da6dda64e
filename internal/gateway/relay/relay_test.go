package relay

import (
	"bufio"
	"context"
	"crypto/rand"
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
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

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
