package app

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"gatehouse.dev/internal/gateway/forwarded"
)

// perSource closes connections of a source that has enough of them already, so
// that nobody can take all that the gate has by connecting and saying nothing. A
// source is an IPv4 address, or the 64 bits of IPv6 that one customer gets.
// Proxies that are trusted to say whom they speak for are not counted.
type perSource struct {
	net.Listener
	most  int
	trust forwarded.Trust

	turnedAway atomic.Int64

	mu   sync.Mutex
	open map[netip.Prefix]int
}

func limitPerSource(l net.Listener, most int, trust forwarded.Trust) *perSource {
	return &perSource{Listener: l, most: most, trust: trust, open: make(map[netip.Prefix]int)}
}

// Accept implements net.Listener.
func (l *perSource) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		t, ok := c.(*net.TCPConn)
		if !ok {
			return c, nil
		}
		source, counts := l.sourceOf(t)
		if !counts {
			return c, nil
		}
		if l.enter(source) {
			return &counted{TCPConn: t, by: l, source: source}, nil
		}
		l.turnedAway.Add(1)
		t.SetLinger(0) // nothing is left of it, not even for the kernel
		t.Close()
	}
}

// sourceOf names who is counted; trusted proxies are not.
func (l *perSource) sourceOf(c *net.TCPConn) (netip.Prefix, bool) {
	at, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}, false
	}
	ip := at.AddrPort().Addr().Unmap().WithZone("")
	if !ip.IsValid() || l.trust.Trusted(ip) {
		return netip.Prefix{}, false
	}
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	p, err := ip.Prefix(bits)
	return p, err == nil
}

func (l *perSource) enter(p netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[p] >= l.most {
		return false
	}
	l.open[p]++
	return true
}

func (l *perSource) leave(p netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[p]--; l.open[p] == 0 {
		delete(l.open, p)
	}
}

// counted is a connection that counts until it is closed.
type counted struct {
	*net.TCPConn
	by     *perSource
	source netip.Prefix
	closed atomic.Bool
}

// Close implements net.Conn.
func (c *counted) Close() error {
	if !c.closed.Swap(true) {
		c.by.leave(c.source)
	}
	return c.TCPConn.Close()
}
