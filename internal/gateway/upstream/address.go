package upstream

import (
	"sync"
	"sync/atomic"
	"time"

	"gatehouse.dev/internal/gateway/h1"
)

const (
	// suspicion is how much trouble makes an address avoided. Failing to
	// connect is as much at once; a failure after connecting, which may be the
	// request's own doing, is one.
	suspicion = 3
	// An avoided address is tried again after firstPause, doubled each time.
	firstPause = time.Second
	maxPause   = 30 * time.Second
)

// address is one place where a backend runs.
type address struct {
	scheme, host string
	dial         string     // host with port
	lean         *h1.Client // nil: the pool's transport

	dirty atomic.Bool // there is something for good to forget

	mu      sync.Mutex
	trouble int
	pause   time.Duration
	until   time.Time // avoided until then
	down    bool      // by the active check
}

// good notes that the address answered.
func (a *address) good() {
	if !a.dirty.Load() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.dirty.Store(false)
	a.trouble, a.pause, a.until = 0, 0, time.Time{}
}

// bad notes trouble and reports whether the address is avoided from now on.
func (a *address) bad(weight int, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.dirty.Store(true)
	a.trouble += weight
	if a.trouble < suspicion || now.Before(a.until) {
		return false
	}
	a.pause = min(max(2*a.pause, firstPause), maxPause)
	a.until = now.Add(a.pause)
	return true
}

// check notes the outcome of an active check and reports whether it is news.
func (a *address) check(well bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	news := a.down == well
	a.down = !well
	if well {
		a.trouble, a.pause, a.until = 0, 0, time.Time{}
	}
	return news
}

// usable reports whether nothing speaks against the address.
func (a *address) usable(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.down && !now.Before(a.until)
}

// Status is what is known of one address.
type Status struct {
	Address string
	Usable  bool
}
