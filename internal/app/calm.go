package app

import (
	"context"
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

// calm gives memory back to the system when a busy spell is over. Otherwise what
// ten thousand logins leave behind would stay as long as their sockets are idle:
// the runtime collects when the heap has doubled, and an idle one does not grow.
type calm struct {
	allocated func() uint64 // since the program began
	release   func()

	last, released uint64
}

func newCalm() *calm {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	return &calm{
		allocated: func() uint64 { metrics.Read(sample); return sample[0].Value.Uint64() },
		release:   debug.FreeOSMemory,
	}
}

// run looks every so often, until ctx ends.
func (c *calm) run(ctx context.Context, every time.Duration) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			c.look()
		}
	}
}

func (c *calm) look() {
	now := c.allocated()
	since := now - c.last
	c.last = now
	if since > quiet || now-c.released < spell {
		return
	}
	c.release()
	c.released = now
}
