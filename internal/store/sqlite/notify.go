package sqlite

import (
	"context"
	"fmt"
	"sync"

	"gatehouse.dev/internal/store"
	"gatehouse.dev/internal/store/guard"
)

// bell wakes listeners in this process; there are no others on SQLite.
type bell struct {
	mu        sync.Mutex
	listeners map[string]map[chan struct{}]bool
}

func (b *bell) ring(channel string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.listeners[channel] {
		select {
		case c <- struct{}{}:
		default: // one is pending already
		}
	}
}

func (b *bell) add(channel string, c chan struct{}) (remove func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.listeners == nil {
		b.listeners = make(map[string]map[chan struct{}]bool)
	}
	if b.listeners[channel] == nil {
		b.listeners[channel] = make(map[chan struct{}]bool)
	}
	b.listeners[channel][c] = true
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.listeners[channel], c)
	}
}

// Notify implements [store.Engine].
func (e *Engine) Notify(_ context.Context, q store.Querier, channel string) error {
	g, ok := q.(*guard.Querier)
	if !ok {
		return fmt.Errorf("notify: %T is not a querier of this engine", q)
	}
	g.After(func() { e.bell.ring(channel) })
	return nil
}

// Listen implements [store.Engine].
func (e *Engine) Listen(ctx context.Context, channel string, fn func()) error {
	c := make(chan struct{}, 1)
	defer e.bell.add(channel, c)()
	fn()
	for {
		select {
		case <-c:
			fn()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
