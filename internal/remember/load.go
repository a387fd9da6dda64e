package remember

import (
	"context"
	"fmt"
	"runtime/debug"
)

// attempts bounds how often one caller goes after a belief that revocations
// keep overtaking.
const attempts = 3

// flight is one finding-out that is under way.
type flight[V any] struct {
	done   chan struct{} // closed when belief and err are set
	belief Belief[V]
	err    error
}

// Load finds out what belongs to k by calling find, unless somebody is doing
// so already, and remembers it. It does not look whether it is remembered; ask
// Get before. shared says that another caller's find gave the answer.
//
// find runs on a context of its own that ends after Options.Load. What it
// returns is returned only if none of its grounds was taken away meanwhile.
func (m *Memory[V]) Load(ctx context.Context, k Key, find func(context.Context) (Belief[V], error)) (v V, shared bool, err error) {
	for range attempts {
		f, shared := m.join(k, find)
		select {
		case <-ctx.Done():
			return v, shared, ctx.Err()
		case <-f.done:
		}
		if f.err != nil {
			return v, shared, f.err
		}
		if m.opts.Log.Intact(f.belief.Grounds, f.belief.AsOf) {
			return f.belief.Value, shared, nil
		}
	}
	return v, false, ErrOvertaken
}

// join returns the flight for k, starting it when there is none.
func (m *Memory[V]) join(k Key, find func(context.Context) (Belief[V], error)) (f *flight[V], shared bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f, ok := m.flights[k]; ok {
		return f, true
	}
	f = &flight[V]{done: make(chan struct{})}
	m.flights[k] = f
	go m.fly(k, f, find)
	return f, false
}

func (m *Memory[V]) fly(k Key, f *flight[V], find func(context.Context) (Belief[V], error)) {
	ctx, cancel := context.WithTimeout(context.Background(), m.opts.Load)
	defer cancel()
	f.belief, f.err = m.guarded(ctx, find)
	if f.err == nil {
		m.put(k, f.belief)
	}
	m.mu.Lock()
	delete(m.flights, k)
	m.mu.Unlock()
	close(f.done)
}

// guarded turns a panic into an error: this goroutine is not an HTTP handler's,
// so nothing above would catch it.
func (m *Memory[V]) guarded(ctx context.Context, find func(context.Context) (Belief[V], error)) (b Belief[V], err error) {
	defer func() {
		if p := recover(); p != nil {
			m.opts.Logger.Error("panic while finding out", "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic of type %T", p)
		}
	}()
	return find(ctx)
}
