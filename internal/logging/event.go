package logging

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"
)

// Event gathers the line of one request. Its setters may be called from any
// goroutine and on a nil Event, so that code which runs without a listener (a
// test, a job) needs no care.
type Event struct {
	mu sync.Mutex

	requestID  string
	listener   string
	tenant     string
	dialect    string
	route      string
	path       string
	principal  string
	credential string
	method     string // how the caller proved itself
	remote     netip.Addr
	reason     string
	upstream   string
	wait       time.Duration
}

type eventKey struct{}

// With returns a context that carries e.
func With(ctx context.Context, e *Event) context.Context {
	return context.WithValue(ctx, eventKey{}, e)
}

// From returns the event of the request that ctx belongs to, or nil.
func From(ctx context.Context) *Event {
	e, _ := ctx.Value(eventKey{}).(*Event)
	return e
}

func (e *Event) set(f func(*Event)) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	f(e)
}

// Door notes what the listener settled: where it came from and whose host it is.
func (e *Event) Door(tenant string, remote netip.Addr) {
	e.set(func(e *Event) { e.tenant, e.remote = tenant, remote })
}

// Path notes the canonical path, without a query.
func (e *Event) Path(path string) { e.set(func(e *Event) { e.path = path }) }

// Dialect notes which protocol answered.
func (e *Event) Dialect(name string) { e.set(func(e *Event) { e.dialect = name }) }

// Route notes which route answered; it must come from the configuration or a
// route table, never from the caller, because metrics count by it.
func (e *Event) Route(name string) { e.set(func(e *Event) { e.route = name }) }

// Caller notes who it was, by id, and how that was proven.
func (e *Event) Caller(principal, credential, method string) {
	e.set(func(e *Event) { e.principal, e.credential, e.method = principal, credential, method })
}

// Refused notes why the caller got nothing. The reason is for operators: a fixed
// text, never anything the caller presented.
func (e *Event) Refused(reason string) { e.set(func(e *Event) { e.reason = reason }) }

// Upstream notes which backend address answered and how long it took.
func (e *Event) Upstream(address string, took time.Duration) {
	e.set(func(e *Event) { e.upstream, e.wait = address, took })
}

// RequestID is the id of the request, empty for a nil Event.
func (e *Event) RequestID() string {
	if e == nil {
		return ""
	}
	return e.requestID
}

// RouteName is what Route noted, or what Dialect did.
func (e *Event) RouteName() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.route != "" {
		return e.route
	}
	return e.dialect
}

// attrs appends what is known, in an order that reads well.
func (e *Event) attrs(to []slog.Attr) []slog.Attr {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, a := range []struct{ key, value string }{
		{"request", e.requestID},
		{"listener", e.listener},
		{"tenant", e.tenant},
		{"dialect", e.dialect},
		{"route", e.route},
		{"principal", e.principal},
		{"credential", e.credential},
		{"proof", e.method},
		{"reason", e.reason},
		{"upstream", e.upstream},
	} {
		if a.value != "" {
			to = append(to, slog.String(a.key, a.value))
		}
	}
	if e.remote.IsValid() {
		to = append(to, slog.String("remote", e.remote.String()))
	}
	if e.wait > 0 {
		to = append(to, slog.Float64("upstream_ms", milliseconds(e.wait)))
	}
	return to
}
