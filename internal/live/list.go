package live

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/revocation"
)

// Filter narrows a listing; zero fields match all.
type Filter struct {
	ID, Kind, Dialect, Route      string
	Tenant, Principal, Credential string
	After                         string // id to go on after
	Limit                         int    // 0: 100; at most 1000
}

// Info is one open conn.
type Info struct {
	ID, Kind, Dialect, Route string
	Remote                   netip.Addr
	Identity                 *identity.Identity
	Opened                   time.Time
	Ended                    Code // 0 while it is live
	MessagesIn, MessagesOut  int64
	BytesIn, BytesOut        int64
	Queued                   int // bytes that wait to be sent
}

func (f Filter) matches(h *Handle) bool {
	who := h.Identity()
	for _, p := range [][2]string{
		{f.ID, h.conn.ID},
		{f.Kind, h.conn.Kind},
		{f.Dialect, h.conn.Dialect},
		{f.Route, h.conn.Route},
		{f.Tenant, who.Tenant},
		{f.Principal, who.Principal},
		{f.Credential, who.Credential},
	} {
		if p[0] != "" && p[0] != p[1] {
			return false
		}
	}
	return h.conn.ID > f.After
}

// List returns the conns that match, ordered by id.
func (x *Index) List(f Filter) []Info {
	limit := min(cmp.Or(max(f.Limit, 0), 100), 1000)
	var match []*Handle
	for _, h := range x.all() {
		if f.matches(h) {
			match = append(match, h)
		}
	}
	slices.SortFunc(match, func(a, b *Handle) int { return cmp.Compare(a.conn.ID, b.conn.ID) })
	infos := make([]Info, min(limit, len(match)))
	for i := range infos {
		infos[i] = match[i].info()
	}
	return infos
}

// Rests reports whether anything that is open rests on g.
func (x *Index) Rests(g revocation.Ground) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.grounds[g]
	return !s.empty()
}

// Counts is how many conns are open, by kind and dialect, for metrics.
func (x *Index) Counts() map[[2]string]int {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := make(map[[2]string]int)
	for _, h := range x.conns {
		n[[2]string{h.conn.Kind, h.conn.Dialect}]++
	}
	return n
}

func (h *Handle) info() Info {
	queued := 0
	if h.conn.Queued != nil {
		queued = h.conn.Queued()
	}
	return Info{
		Queued: queued,
		ID:     h.conn.ID, Kind: h.conn.Kind, Dialect: h.conn.Dialect, Route: h.conn.Route,
		Remote:      h.conn.Remote,
		Identity:    h.Identity(),
		Opened:      h.opened,
		Ended:       h.Ended(),
		MessagesIn:  h.received.messages.Load(),
		BytesIn:     h.received.bytes.Load(),
		MessagesOut: h.sent.messages.Load(),
		BytesOut:    h.sent.bytes.Load(),
	}
}
