package queue

import (
	"sync"
	"sync/atomic"

	"gatehouse.dev/internal/bus"
)

// Bytes is how much data a queue may hold. One message is always taken, however
// large it is.
const Bytes = 16 << 20

// Queue holds the messages that one subscriber has not seen yet. All methods
// are safe for concurrent use.
type Queue struct {
	total *atomic.Int64 // of lost messages, for whoever counts; may be nil

	mu      sync.Mutex
	ring    []bus.Message
	first   int // of the oldest message
	n       int
	bytes   int
	lost    int // before the oldest message
	missed  int // after the newest one: never came here
	stopped bool
	wake    chan struct{} // holds one token while there is something to look at
}

// New makes a queue for so many messages. What is lost is added to total, when
// there is one.
func New(messages int, total *atomic.Int64) *Queue {
	return &Queue{total: total, ring: make([]bus.Message, messages), wake: make(chan struct{}, 1)}
}

// Put queues m, in place of the oldest messages when the queue is full.
func (q *Queue) Put(m bus.Message) {
	q.mu.Lock()
	m.Lost, q.missed = q.missed, 0
	for q.n == len(q.ring) || q.n > 0 && q.bytes+len(m.Data) > Bytes {
		oldest := q.pop()
		q.lost += oldest.Lost + 1
		q.count(1)
	}
	q.ring[(q.first+q.n)%len(q.ring)] = m
	q.n++
	q.bytes += len(m.Data)
	q.mu.Unlock()
	q.rouse()
}

// Miss says that n messages were lost on their way here. The next one to be put
// will say so.
func (q *Queue) Miss(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.missed += n
	q.count(n)
}

func (q *Queue) count(n int) {
	if q.total != nil {
		q.total.Add(int64(n))
	}
}

func (q *Queue) pop() bus.Message {
	m := q.ring[q.first]
	q.ring[q.first] = bus.Message{}
	q.first = (q.first + 1) % len(q.ring)
	q.n--
	q.bytes -= len(m.Data)
	return m
}

// take removes the oldest message. more is false once the queue is stopped; ok
// is false when there is nothing at the moment.
func (q *Queue) take() (m bus.Message, ok, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.stopped || q.n == 0 {
		return bus.Message{}, false, !q.stopped
	}
	m = q.pop()
	m.Lost, q.lost = m.Lost+q.lost, 0
	return m, true, true
}

// Run calls fn for each message until the queue is stopped.
func (q *Queue) Run(fn func(bus.Message)) {
	for {
		m, ok, more := q.take()
		switch {
		case !more:
			return
		case ok:
			fn(m)
		default:
			<-q.wake
		}
	}
}

// Stop ends Run, after the call that may be running. Messages that were not
// seen are forgotten.
func (q *Queue) Stop() {
	q.mu.Lock()
	q.stopped = true
	q.mu.Unlock()
	q.rouse()
}

func (q *Queue) rouse() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}
