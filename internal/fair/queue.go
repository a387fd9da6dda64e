package fair

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"
)

// ErrBusy means that there was no place to wait. Callers answer it with 503 or
// 429 and Retry-After.
var ErrBusy = errors.New("too much of this work is waiting already")

// Queue gives turns. It is safe for concurrent use; make it with [NewQueue].
type Queue struct {
	mu      sync.Mutex
	free    int // turns nobody holds; above 0 only while nobody waits, or until the next batch
	places  int // how many may wait
	waiting int

	batch   int    // turns given to waiters together; 0: each as it becomes free
	number  uint64 // of the latest batch
	begun   time.Time
	open    int // its turns that still are waited for
	pausing bool
	waited  *time.Timer // for the latest batch

	give func() // leave, made once so that a free turn costs no allocation

	lanes map[string]*lane // sources with somebody waiting
	turn  []*lane          // the same lanes, the next to be served first
}

// lane is the waiters of one source, first come first.
type lane struct {
	source  string
	waiters []*waiter
}

// waiter is told its fate once, through a channel with room for it.
type waiter struct {
	fate  chan error
	batch uint64 // in which the turn was given
}

// NewQueue makes a queue in which running callers work at once and places more
// may wait. Both are raised to what makes sense: at least one turn, at least
// no places.
func NewQueue(running, places int) *Queue {
	q := &Queue{
		free:   max(running, 1),
		places: max(places, 0),
		lanes:  make(map[string]*lane),
	}
	q.give = func() { q.leave(0) }
	return q
}

const (
	batchPause    = 100 * time.Microsecond
	batchPatience = 2 * time.Millisecond
)

// InBatches has all served n at a time, with a pause of a tenth of a millisecond
// after each batch while others wait; call it before the first Enter. Work that
// follows on work without a gap keeps the runtime from looking for what has come
// from the network: it does so when it has nothing else to run, and otherwise
// only every ten milliseconds, for a hundred connections. In the pause whoever
// has asked for something else is heard.
//
// A batch of which somebody takes long, because he waits himself, does not hold
// the next one up for more than two milliseconds. So there can be many more turns
// than n, and they are used up only by those who wait.
func (q *Queue) InBatches(n int) {
	q.batch = max(n, 1)
	q.waited = time.AfterFunc(time.Hour, q.giveUp)
	q.waited.Stop()
}

// Enter waits for a turn for source and returns the function that gives it
// back, to be called exactly once. It fails with [ErrBusy] when there is no
// place to wait, or none any more, and with the context's error when that ends
// first.
func (q *Queue) Enter(ctx context.Context, source string) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w, batch, err := q.join(source)
	if err != nil {
		return nil, err
	}
	if w == nil {
		return q.leaver(batch), nil
	}
	select {
	case err := <-w.fate:
		if err != nil {
			return nil, err
		}
		return q.leaver(w.batch), nil
	case <-ctx.Done():
		q.abandon(source, w)
		return nil, ctx.Err()
	}
}

// leaver gives back a turn of a batch; 0: of none.
func (q *Queue) leaver(batch uint64) func() {
	if batch == 0 {
		return q.give
	}
	return func() { q.leave(batch) }
}

// Waiting is how many wait now, for metrics.
func (q *Queue) Waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting
}

// join takes a free turn (then the waiter is nil) or a place in the queue.
func (q *Queue) join(source string) (w *waiter, batch uint64, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.free > 0 && q.waiting == 0 && q.welcome() {
		q.free--
		return nil, q.number, nil
	}
	if q.waiting >= q.places && !q.makeRoom(source) {
		return nil, 0, ErrBusy
	}
	l := q.lanes[source]
	if l == nil {
		l = &lane{source: source}
		q.lanes[source] = l
		q.turn = append(q.turn, l)
	}
	w = &waiter{fate: make(chan error, 1)}
	l.waiters = append(l.waiters, w)
	q.waiting++
	return w, 0, nil
}

// welcome reports whether somebody who need not wait can be of the present
// batch. Call with mu held.
func (q *Queue) welcome() bool {
	switch {
	case q.batch == 0:
		return true
	case q.pausing || q.open == q.batch:
		return false
	case q.open == 0:
		q.begin()
	}
	q.open++
	return true
}

// begin begins a batch. Call with mu held.
func (q *Queue) begin() {
	q.number++
	q.begun = time.Now()
	q.waited.Reset(batchPatience)
}

// makeRoom sends away the last waiter of the longest lane, if that lane would
// still be no shorter than the newcomer's own with him in it.
func (q *Queue) makeRoom(source string) bool {
	var longest *lane
	for _, l := range q.turn {
		if longest == nil || len(l.waiters) > len(longest.waiters) {
			longest = l
		}
	}
	own := 0
	if l := q.lanes[source]; l != nil {
		own = len(l.waiters)
	}
	if longest == nil || len(longest.waiters) <= own+1 {
		return false
	}
	last := len(longest.waiters) - 1
	longest.waiters[last].fate <- ErrBusy
	longest.waiters = longest.waiters[:last]
	q.waiting--
	return true
}

// leave gives a turn back, which was one of a batch; 0: of none.
func (q *Queue) leave(batch uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.free++
	if batch == q.number && q.open > 0 {
		if q.open--; q.open == 0 {
			q.waited.Stop()
			if q.waiting > 0 {
				q.pausing = true
				time.AfterFunc(batchPause, q.resume)
			}
		}
	}
	q.hand()
}

// hand gives free turns to those who wait. Call with mu held.
func (q *Queue) hand() {
	if q.open > 0 || q.pausing {
		return
	}
	if q.batch > 0 && q.free > 0 && q.waiting > 0 {
		q.begin()
		q.open = min(q.batch, q.free, q.waiting)
	}
	for n := 0; q.free > 0 && q.waiting > 0 && (q.batch == 0 || n < q.open); n++ {
		q.free--
		q.serve()
	}
}

// resume ends a pause. Whoever has something to do now comes first: when the
// processors have too much of it, another batch would make all wait longer.
func (q *Queue) resume() {
	runtime.Gosched()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pausing = false
	q.hand()
}

// giveUp no longer waits for a batch, once all that can run has run.
func (q *Queue) giveUp() {
	runtime.Gosched()
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.open > 0 && time.Since(q.begun) >= batchPatience {
		q.open = 0
		q.hand()
	}
}

// serve gives a turn to the next. Call with mu held.
func (q *Queue) serve() {
	l := q.turn[0]
	q.turn = q.turn[1:]
	w := l.waiters[0]
	l.waiters = l.waiters[1:]
	q.waiting--
	if len(l.waiters) > 0 {
		q.turn = append(q.turn, l)
	} else {
		delete(q.lanes, l.source)
	}
	w.batch = q.number
	w.fate <- nil
}

// abandon takes a waiter out whose context has ended. If his fate came first,
// a turn he was given is passed on.
func (q *Queue) abandon(source string, w *waiter) {
	q.mu.Lock()
	l := q.lanes[source]
	if l != nil {
		for i, other := range l.waiters {
			if other == w {
				l.waiters = append(l.waiters[:i], l.waiters[i+1:]...)
				q.waiting--
				if len(l.waiters) == 0 {
					q.drop(l)
				}
				q.mu.Unlock()
				return
			}
		}
	}
	q.mu.Unlock()
	if err := <-w.fate; err == nil {
		q.leave(w.batch)
	}
}

// drop forgets an empty lane.
func (q *Queue) drop(l *lane) {
	delete(q.lanes, l.source)
	for i, other := range q.turn {
		if other == l {
			q.turn = append(q.turn[:i], q.turn[i+1:]...)
			return
		}
	}
}
