// Package inproc is the bus of a single node: messages go from goroutine to
// goroutine. Each subscriber has a goroutine and a queue of its own, so a slow
// one delays nobody; when its queue is full, its oldest message is dropped.
package inproc

import (
	"bytes"
	"context"
	"slices"
	"sync"

	"gatehouse.dev/internal/bus"
	"gatehouse.dev/internal/bus/queue"
)

// DefaultQueue is how many messages a subscriber may be behind.
const DefaultQueue = 256

// Bus implements bus.Bus. Make it with New.
type Bus struct {
	length int

	mu     sync.RWMutex
	closed bool
	// subs is copied on write: Publish reads a list without holding mu.
	subs map[string][]*queue.Queue
	all  sync.WaitGroup
}

var _ bus.Bus = (*Bus)(nil)

// New makes a bus whose subscribers may be length messages behind;
// DefaultQueue when length is 0.
func New(length int) *Bus {
	if length <= 0 {
		length = DefaultQueue
	}
	return &Bus{length: length, subs: make(map[string][]*queue.Queue)}
}

// Publish implements bus.Bus.
func (b *Bus) Publish(ctx context.Context, subject string, data []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := bus.CheckSubject(subject); err != nil {
		return err
	}
	if len(data) > bus.MaxData {
		return bus.ErrTooLarge
	}
	// Queues are filled under the read lock, so that one publisher's messages
	// cannot overtake each other and none is queued after Close.
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.closed {
		return bus.ErrClosed
	}
	subs := b.subs[subject]
	if len(subs) == 0 {
		return nil
	}
	m := bus.Message{Subject: subject, Data: bytes.Clone(data)}
	for _, s := range subs {
		s.Put(m)
	}
	return nil
}

// Subscribe implements bus.Bus. On a closed bus fn is never called.
func (b *Bus) Subscribe(subject string, fn func(bus.Message)) (unsubscribe func()) {
	if err := bus.CheckSubject(subject); err != nil {
		panic(err)
	}
	s := queue.New(b.length, nil)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return func() {}
	}
	b.subs[subject] = append(slices.Clone(b.subs[subject]), s)
	b.all.Go(func() { s.Run(fn) })
	return func() {
		s.Stop()
		b.remove(subject, s)
	}
}

func (b *Bus) remove(subject string, s *queue.Queue) {
	b.mu.Lock()
	defer b.mu.Unlock()
	rest := slices.DeleteFunc(slices.Clone(b.subs[subject]), func(o *queue.Queue) bool { return o == s })
	if len(rest) == 0 {
		delete(b.subs, subject)
		return
	}
	b.subs[subject] = rest
}

// Close ends all subscriptions and waits for the calls that are running. It
// must not be called from a subscriber.
func (b *Bus) Close() {
	b.mu.Lock()
	b.closed = true
	for _, subs := range b.subs {
		for _, s := range subs {
			s.Stop()
		}
	}
	b.subs = nil
	b.mu.Unlock()
	b.all.Wait()
}
