package relay

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

func masked(t *testing.T, f ws.Frame) []byte {
	b, err := ws.CompileFrame(ws.MaskFrame(f))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A caller in the middle of what the backend does not take is told the reason,
// which is not lost in a reset because of all that it has sent.
func TestEndOfTalkative(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	defer close(release)
	g := newGate(t, script(func(net.Conn, io.Reader) { <-release }), func(g *gate) { g.options.MaxMessage = 64 << 20 })
	c, in := g.rawDial(t, "")
	r := <-g.relays
	c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond)) // until the buffers are full
	c.Write(masked(t, ws.NewBinaryFrame(make([]byte, 32<<20))))
	r.End(PolicyEnded, "revoked")
	time.Sleep(100 * time.Millisecond)
	f, err := readFrame(in)
	if err != nil {
		t.Fatal(err)
	}
	if code, reason := ws.ParseCloseFrameData(f.Payload); code != 1008 || reason != "revoked" {
		t.Errorf("%d %s", code, reason)
	}
	c.Close()
	waitFor(t, func() bool { return g.closed.Load() == 1 })
}

// What comes after the end goes nowhere, also while the end waits for others to
// be told of theirs: neither what has arrived already nor what comes then.
func TestNothingPassesAfterTheEnd(t *testing.T) {
	t.Parallel()
	heard := make(chan ws.Frame, 10)
	asked, decided := make(chan struct{}), make(chan struct{})
	g := newGate(t, script(func(_ net.Conn, in io.Reader) {
		for {
			f, err := readFrame(in)
			if err != nil {
				close(heard)
				return
			}
			heard <- f
		}
	}), func(g *gate) {
		n := 0
		g.hooks.Pass = func(context.Context) error { // may the second one pass? Just so.
			if n++; n == 2 {
				close(asked)
				<-decided
			}
			return nil
		}
	})
	c, in := g.rawDial(t, "")
	r := <-g.relays
	word := func(s string) []byte { return masked(t, ws.NewTextFrame([]byte(s))) }
	c.Write(slices.Concat(word("in time"), word("just so"), word("too late")))
	<-asked
	busy := make(chan struct{})
	for range 4 * max(2, runtime.GOMAXPROCS(0)) {
		g.options.Wheel.Tell(func() { <-busy })
	}
	r.End(PolicyEnded, "revoked")
	close(decided)
	c.Write(word("much too late"))
	time.Sleep(15 * time.Millisecond)
	close(busy)
	if _, err := readFrame(in); err != nil {
		t.Error(err)
	}
	for f := range heard {
		if text := string(ws.UnmaskFrame(f).Payload); f.Header.OpCode == ws.OpText && text != "in time" && text != "just so" {
			t.Errorf("the backend heard %q", text)
		}
	}
}

// Somebody who has said goodbye, and is waiting for the answer, is ended at once.
func TestEndInGoodbye(t *testing.T) {
	t.Parallel()
	told, gone := make(chan struct{}), make(chan struct{})
	g := newGate(t, script(func(_ net.Conn, in io.Reader) {
		readFrame(in)
		close(told)
		io.Copy(io.Discard, in)
		close(gone)
	}), func(g *gate) { g.options.CloseTimeout = time.Hour })
	c, in := g.rawDial(t, "")
	r := <-g.relays
	c.Write(masked(t, ws.NewCloseFrame(ws.NewCloseFrameBody(1000, ""))))
	<-told
	r.End(PolicyEnded, "revoked")
	<-gone
	if _, err := readFrame(in); err != nil {
		t.Error(err)
	}
	if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("end: %v", err)
	}
	waitFor(t, func() bool { return g.closed.Load() == 1 })
}
