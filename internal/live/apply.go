package live

import (
	"time"

	"gatehouse.dev/internal/revocation"
)

// Apply implements revocation.Conns.
func (x *Index) Apply(e revocation.Entry, report func(closed int)) {
	hs := x.restingOn(e)
	t := &tally{report: report, open: 1} // 1 is held until all have been asked
	code := Revoked
	if len(e.Grounds) == 1 && e.Grounds[0].Kind == revocation.Conn {
		code = Closed
	}
	cause := Cause{Code: code, Change: e.N}

	if e.Effect != revocation.Recheck {
		for _, h := range hs {
			x.endFor(h, cause, t)
		}
		x.settle(t, e)
		return
	}
	if len(hs) == 0 {
		x.settle(t, e)
		return
	}
	go func() {
		x.each(hs, func(h *Handle) { x.recheck(h, cause, t) })
		x.settle(t, e)
	}()
}

// restingOn collects the conns that rest on a ground of e. Those whose
// identity was read from the store after e are left alone: it is believed with
// e in mind.
func (x *Index) restingOn(e revocation.Entry) []*Handle {
	var hs []*Handle
	seen := make(map[*Handle]bool)
	take := func(h *Handle) {
		if asOf := h.current.Load().AsOf; asOf.N < e.N && !seen[h] {
			seen[h] = true
			hs = append(hs, h)
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, g := range e.Grounds {
		switch g.Kind {
		case revocation.Conn:
			if h := x.conns[g.ID]; h != nil && !seen[h] {
				seen[h] = true
				hs = append(hs, h)
			}
		case revocation.Route:
			for _, h := range x.conns {
				if h.conn.Route == g.ID {
					take(h)
				}
			}
		default:
			s := x.grounds[g]
			for p := range s.all() {
				for h := range p.conns.all() {
					take(h)
				}
			}
		}
	}
	return hs
}

// endFor ends h on behalf of t, unless something else was first.
func (x *Index) endFor(h *Handle, c Cause, t *tally) {
	x.mu.Lock()
	first := !h.closed && h.ended.CompareAndSwap(0, uint32(c.Code))
	if first {
		h.tally = t
		t.add()
	}
	x.mu.Unlock()
	if first && h.conn.End != nil {
		h.conn.End(c)
	}
}

// settle lets t report when its last conn is closed, or when patience ends.
func (x *Index) settle(t *tally, e revocation.Entry) {
	t.mu.Lock()
	t.timer = time.AfterFunc(x.opts.Patience, func() {
		if left := t.giveUp(); left > 0 {
			x.opts.Log.Warn("connections do not close although they were ended", "change", e.N, "left", left)
		}
	})
	t.mu.Unlock()
	t.release()
}

// Reset implements revocation.Conns.
func (x *Index) Reset() {
	for _, h := range x.all() {
		h.end(Cause{Code: NotFresh})
	}
}
