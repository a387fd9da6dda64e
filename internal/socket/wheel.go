package socket

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// Wheel calls functions at their time: one goroutine and one clock tick for the
// deadlines of all sockets. It is coarse (see Tick) and cheap: setting and
// stopping move an entry between lists.
//
// Sockets of one Wheel also share the few goroutines that write what they send
// and clear away those that have ended.
type Wheel struct {
	writers, enders *crew

	mu    sync.Mutex
	now   int64 // in ticks
	slots [wheelSlots]Timer
}

const (
	// Tick is how exactly a Wheel keeps time: never early, at most this late.
	Tick = 100 * time.Millisecond

	wheelSlots = 1024 // one turn is 102 s; longer waits go round more than once
)

// Timer is one entry of a Wheel, meant to be part of what it wakes. The zero
// value is stopped. It must not be copied once set.
type Timer struct {
	next, prev *Timer
	due        int64
	fire       func()
}

// NewWheel makes a wheel that stands still until Run.
func NewWheel() *Wheel {
	cores := runtime.GOMAXPROCS(0)
	w := &Wheel{writers: newCrew(max(2, cores)), enders: newCrew(cores / 2)}
	w.enders.first = w.writers
	for i := range w.slots {
		s := &w.slots[i]
		s.next, s.prev = s, s
	}
	return w
}

// Tell has f done among the writes of all sockets. It is for the last words to
// peers that f holds the connections of: a few are told at a time, and before
// anything is cleared away.
func (w *Wheel) Tell(f func()) { w.writers.do(something(f)) }

// Clear has f done when nobody, or not many, wait to be told something.
func (w *Wheel) Clear(f func()) { w.enders.do(something(f)) }

// Run turns the wheel until ctx ends.
func (w *Wheel) Run(ctx context.Context) {
	ticker := time.NewTicker(Tick)
	defer ticker.Stop()
	start := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			w.advance(int64(time.Since(start) / Tick))
		}
	}
}

// Set calls fire once after d, on the wheel's goroutine, so fire must not
// block. A timer that is set already is moved.
func (w *Wheel) Set(t *Timer, d time.Duration, fire func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t.unlink()
	// One more than the ticks in d: the present tick has partly gone.
	t.due = w.now + int64((d+Tick-1)/Tick) + 1
	t.fire = fire
	s := &w.slots[t.due%wheelSlots]
	t.prev, t.next = s.prev, s
	s.prev.next, s.prev = t, t
}

// Stop takes the timer out. A call that has begun is not waited for.
func (w *Wheel) Stop(t *Timer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t.unlink()
	t.fire = nil
}

func (t *Timer) unlink() {
	if t.next == nil {
		return
	}
	t.prev.next, t.next.prev = t.next, t.prev
	t.next, t.prev = nil, nil
}

// advance calls what is due up to and including that tick, in order of ticks.
func (w *Wheel) advance(to int64) {
	var due []func()
	w.mu.Lock()
	for w.now < to {
		w.now++
		due = w.collect(due)
	}
	w.mu.Unlock()
	for _, fire := range due {
		fire()
	}
}

func (w *Wheel) collect(due []func()) []func() {
	s := &w.slots[w.now%wheelSlots]
	for t := s.next; t != s; {
		next := t.next
		if t.due <= w.now {
			t.unlink()
			due = append(due, t.fire)
			t.fire = nil
		}
		t = next
	}
	return due
}
