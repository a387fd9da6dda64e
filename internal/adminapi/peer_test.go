package adminapi

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
)

func TestMayConnect(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		peer uint32
		own  int
		want bool
	}{
		{0, 1000, true}, {1000, 1000, true}, {1001, 1000, false}, {1001, 0, false}, {0, 0, true},
		{0xffffffff, -1, false}, // a system without user ids
	} {
		if got := mayConnect(c.peer, c.own); got != c.want {
			t.Errorf("peer %d of server %d: %v", c.peer, c.own, got)
		}
	}
}

func TestPeerUID(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	c, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if uid, err := peerUID(s); err != nil || int(uid) != os.Getuid() {
		t.Errorf("uid = %d, %v; want %d", uid, err, os.Getuid())
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if _, err := peerUID(a); err == nil {
		t.Error("a pipe has a user")
	}
}

// Whoever is neither root nor us is turned away, and so is who cannot be told.
func TestOwnListener(t *testing.T) {
	t.Parallel()
	inner, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	peers := make(chan func() (uint32, error), 3)
	peers <- func() (uint32, error) { return uint32(os.Geteuid()) + 4242, nil }
	peers <- func() (uint32, error) { return 0, errors.New("cannot tell") }
	peers <- func() (uint32, error) { return 0, nil }
	l := &ownListener{inner, slog.New(slog.DiscardHandler), func(net.Conn) (uint32, error) { return (<-peers)() }}
	t.Cleanup(func() { l.Close() })
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
		}
		accepted <- c
	}()
	for range 2 {
		c, err := net.Dial("unix", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("a stranger got %v, want the end of the connection", err)
		}
		c.Close()
	}
	c, err := net.Dial("unix", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	(<-accepted).Close()
}
