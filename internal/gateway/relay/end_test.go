package relay

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

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
	masked := func(f ws.Frame) []byte { return masked(t, f) }
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
