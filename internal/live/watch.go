package live

import (
	"context"
	"time"
)

// Run ends conns when this node's knowledge has been too old for too long. It
// returns when ctx ends.
func (x *Index) Run(ctx context.Context) error {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			x.endStale()
		}
	}
}

// endStale ends the conns whose turn has come. They are spread out by id, so
// that not all of them come back at one moment to a node that has just
// recovered.
func (x *Index) endStale() {
	k := x.knows.Load()
	if k == nil {
		return
	}
	over := (*k).Age() - (*k).Lease() - x.opts.Grace
	if over <= 0 {
		return
	}
	ended := 0
	for _, h := range x.all() {
		if time.Duration(h.place()*float64(x.opts.Spread)) < over && h.end(Cause{Code: NotFresh}) {
			ended++
		}
	}
	if ended > 0 {
		x.opts.Log.Warn("ended connections: the revocation log cannot be read", "ended", ended)
	}
}

// Drain ends all conns, spread out over the given time, and waits until they
// are closed or ctx ends. It returns how many are left. Conns opened meanwhile
// are ended too.
func (x *Index) Drain(ctx context.Context, over time.Duration) (left int) {
	began := x.opts.Now()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		passed := x.opts.Now().Sub(began)
		hs := x.all()
		if len(hs) == 0 {
			return 0
		}
		for _, h := range hs {
			if time.Duration(h.place()*float64(over)) <= passed {
				h.end(Cause{Code: Draining})
			}
		}
		select {
		case <-ctx.Done():
			return x.Len()
		case <-tick.C:
		}
	}
}
