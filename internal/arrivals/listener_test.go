package arrivals

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

func open(t *testing.T, l net.Listener, o Options) *Listener {
	a, err := New(l, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// Ten thousand that return at once, in small: who connects after them is not
// served after them.
func TestArrivalsInTurnBySource(t *testing.T) {
	t.Parallel()
	const herd = 100
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := open(t, l, Options{Patience: time.Minute})
	dial := func(from string) net.Conn {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		c, err := d.DialContext(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatalf("cannot connect from %s: %v", from, err)
		}
		t.Cleanup(func() { c.Close() })
		c.Write([]byte("G"))
		return c
	}
	for range herd {
		dial("127.0.0.2")
	}
	stranger := dial("127.0.0.3").LocalAddr().String()
	last := dial("127.0.0.2")

	accept := func() string {
		c, err := a.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c.RemoteAddr().String()
	}
	accept()
	for deadline := time.Now().Add(5 * time.Second); a.line.Waiting() < herd+1; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d are taken from the kernel", a.line.Waiting(), herd+1)
		}
	}
	at := 0
	for at = 2; accept() != stranger; at++ {
	}
	if at > 4 {
		t.Errorf("the stranger is number %d of %d", at, herd+2)
	}

	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if _, err := a.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
	last.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := last.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("who was still in the line is told %v", err)
	}
}
