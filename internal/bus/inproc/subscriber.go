package inproc

import (
	"sync"

	"gatehouse.dev/internal/bus"
)

// subscriber is one bounded queue and the goroutine that empties it.
type subscriber struct {
	mu      sync.Mutex
	ring    []bus.Message
	first   int // of the oldest message
	n       int
	lost    int // dropped since the last message was taken
	stopped bool
	wake    chan struct{} // holds one token while there is something to look at
}

func newSubscriber(queue int) *subscriber {
	return &subscriber{ring: make([]bus.Message, queue), wake: make(chan struct{}, 1)}
}

// put queues m, in place of the oldest message when the queue is full.
func (s *subscriber) put(m bus.Message) {
	s.mu.Lock()
	if s.n == len(s.ring) {
		s.ring[s.first] = bus.Message{}
		s.first = (s.first + 1) % len(s.ring)
		s.n--
		s.lost++
	}
	s.ring[(s.first+s.n)%len(s.ring)] = m
	s.n++
	s.mu.Unlock()
	s.rouse()
}

// take removes the oldest message. more is false once the subscriber is
// stopped; ok is false when there is nothing at the moment.
func (s *subscriber) take() (m bus.Message, ok, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped || s.n == 0 {
		return bus.Message{}, false, !s.stopped
	}
	m = s.ring[s.first]
	s.ring[s.first] = bus.Message{}
	s.first = (s.first + 1) % len(s.ring)
	s.n--
	m.Lost, s.lost = s.lost, 0
	return m, true, true
}

func (s *subscriber) run(fn func(bus.Message)) {
	for {
		m, ok, more := s.take()
		switch {
		case !more:
			return
		case ok:
			fn(m)
		default:
			<-s.wake
		}
	}
}

func (s *subscriber) stop() {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	s.rouse()
}

func (s *subscriber) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
