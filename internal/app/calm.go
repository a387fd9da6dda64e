package app

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// How busy is busy, in allocated bytes: what a spell must have allocated for its
// leavings to be worth a collection, and what may still be allocated between two
// looks when it is over.
const (
	spell = 64 << 20
	quiet = 4 << 20
)

// calm sees to it that memory is used freely while there is work, and given back
// when there is none.
//
// While a heap is small it may grow by some tens of megabytes between two
// collections, not only to twice its size: a server that makes little and keeps
// little would otherwise spend a tenth of its time on looking through it.
//
// And when a busy spell is over, what it has left is given back to the system.
// Otherwise the leavings of ten thousand logins would stay as long as their
// sockets are idle, because an idle heap does not grow to its next collection.
type calm struct {
	heap    func() (allocated, live uint64) // since the program began; after the last collection
	release func()
	percent func(int) // sets GOGC; nil: the operator has

	last, released uint64
	set            int
}

func newCalm() *calm {
	samples := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}}
	c := &calm{
		heap: func() (allocated, live uint64) {
			metrics.Read(samples)
			return samples[0].Value.Uint64(), samples[1].Value.Uint64()
		},
		release: debug.FreeOSMemory,
	}
	if os.Getenv("GOGC") == "" {
		c.percent = func(p int) { debug.SetGCPercent(p) }
	}
	return c
}

// run looks every so often, until ctx ends.
func (c *calm) run(ctx context.Context, every time.Duration) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		c.look()
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func (c *calm) look() {
	now, live := c.heap()
	if p := growth(live); c.percent != nil && p != c.set {
		c.percent(p)
		c.set = p
	}
	since := now - c.last
	c.last = now
	if since > quiet || now-c.released < spell {
		return
	}
	c.release()
	c.released = now
}

// growth is by how much per cent a heap may grow between two collections: by
// room, but at least to twice and at most to five times its size. It goes in
// steps, because each change stops the world for a moment.
func growth(live uint64) int {
	const room, step, least, most = 128 << 20, 50, 100, 400
	p := int(room * 100 / max(live, 1<<20))
	return min(max(p/step*step, least), most)
}
