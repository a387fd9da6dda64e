package live

import (
	"sync"
	"time"
)

// tally counts the conns that one revocation ended, and reports once.
type tally struct {
	report func(closed int)

	mu     sync.Mutex
	open   int // ended but not closed; plus 1 until all have been ended
	closed int
	said   bool
	timer  *time.Timer
}

func (t *tally) add() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open++
}

// done counts one conn that has been closed.
func (t *tally) done() {
	t.mu.Lock()
	t.closed++
	t.open--
	t.finish()
}

// release takes off the 1 that was held.
func (t *tally) release() {
	t.mu.Lock()
	t.open--
	t.finish()
}

// finish reports when nothing is open any more. It gives up the lock.
func (t *tally) finish() {
	if t.open > 0 || t.said {
		t.mu.Unlock()
		return
	}
	t.said = true
	closed, timer := t.closed, t.timer
	t.mu.Unlock()
	if timer != nil {
		timer.Stop()
	}
	t.report(closed)
}

// giveUp reports what has been closed so far, and returns what has not.
func (t *tally) giveUp() (left int) {
	t.mu.Lock()
	if t.said {
		t.mu.Unlock()
		return 0
	}
	t.said = true
	left, closed := t.open, t.closed
	t.mu.Unlock()
	t.report(closed)
	return left
}
