package app

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// Ten thousand that return at once, in small: who connects after them is not
// served after them.
func TestArrivalsInTurnBySource(t *testing.T) {
	t.Parallel()
	const herd = 100
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := newArrivals(l, 0, time.Minute)
	defer a.Close()
	dial := func(from string) net.Conn {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		c, err := d.DialContext(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Skipf("cannot connect from %s: %v", from, err)
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

// A client that says nothing is no work for the server, and is not waited for
// longer than it may take.
func TestArrivalsThatSpeak(t *testing.T) {
	t.Parallel()
	const patience = 300 * time.Millisecond
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := newArrivals(l, 0, patience)
	defer a.Close()
	accepted := make(chan net.Conn)
	go func() {
		for {
			c, err := a.Accept()
			if err != nil {
				close(accepted)
				return
			}
			accepted <- c
		}
	}()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	silent := dial()
	speaks := dial()
	time.Sleep(patience / 3)
	select {
	case c := <-accepted:
		t.Errorf("%v is handed over and has said nothing", c.RemoteAddr())
	default:
	}
	if _, err := speaks.Write([]byte("word")); err != nil {
		t.Fatal(err)
	}
	c := <-accepted
	if got, want := c.RemoteAddr().String(), speaks.LocalAddr().String(); got != want {
		t.Errorf("%s is handed over, want %s", got, want)
	}
	time.Sleep(patience) // of waiting for its first word nothing is left
	word := make([]byte, 4)
	if _, err := io.ReadFull(c, word); err != nil || string(word) != "word" {
		t.Errorf("it said %q, %v", word, err)
	}
	ended := func(what string, c net.Conn) {
		t.Helper()
		c.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := c.Read(word); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s is told %v", what, err)
		}
	}
	ended("who says nothing", silent)

	late := dial()
	time.Sleep(patience / 10)
	began := time.Now()
	a.Close()
	ended("who says nothing at the end", late)
	if took := time.Since(began); took > patience/2 {
		t.Errorf("that took %v", took)
	}
	if c, more := <-accepted; more {
		t.Errorf("%v is handed over after the end", c.RemoteAddr())
	}
	if n := a.held.Load(); n != 0 {
		t.Errorf("%d are held after the end", n)
	}
}
