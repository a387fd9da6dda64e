package arrivals

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"gatehouse.dev/internal/fair"
)

// sources counts the connections of each source, so that nobody can take all that
// there is by connecting and saying nothing. A source is an IPv4 address, or the
// 64 bits of IPv6 that one customer gets.
type sources struct {
	most      int // 0: nobody is counted
	uncounted func(netip.Addr) bool

	turnedAway atomic.Int64

	mu   sync.Mutex
	open map[string]int
}

func newSources(most int, uncounted func(netip.Addr) bool) *sources {
	return &sources{most: most, uncounted: uncounted, open: make(map[string]int)}
}

// enter counts one more connection from an address. It returns the name under
// which it counts, "" when it does not, and false when there are enough.
func (s *sources) enter(from netip.Addr) (as string, ok bool) {
	if s.most == 0 || !from.IsValid() || s.uncounted != nil && s.uncounted(from.Unmap().WithZone("")) {
		return "", true
	}
	as = fair.Source(from)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[as] >= s.most {
		s.turnedAway.Add(1)
		return "", false
	}
	s.open[as]++
	return as, true
}

func (s *sources) leave(as string) {
	if as == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[as]--; s.open[as] == 0 {
		delete(s.open, as)
	}
}

// count has a connection count until it is closed.
func (s *sources) count(c net.Conn, as string) net.Conn {
	if t, ok := c.(*net.TCPConn); ok && as != "" {
		return &counted{TCPConn: t, by: s, as: as}
	}
	return c
}

type counted struct {
	*net.TCPConn
	by     *sources
	as     string
	closed atomic.Bool
}

// Close implements net.Conn.
func (c *counted) Close() error {
	if !c.closed.Swap(true) {
		c.by.leave(c.as)
	}
	return c.TCPConn.Close()
}

// addressOf is invalid where there is none, such as on a Unix socket.
func addressOf(a net.Addr) netip.Addr {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort().Addr()
	}
	return netip.Addr{}
}
