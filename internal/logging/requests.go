package logging

import (
	"bufio"
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"gatehouse.dev/internal/id"
)

// Requests writes one line per request. It stands outermost on a listener.
type Requests struct {
	Listener string // "gate", "desk"
	Logger   *slog.Logger
	Quiet    bool // no lines, but events and metrics all the same
	// Observe is told about every request once it is answered. Route and method
	// are safe to count by.
	Observe func(listener, route, method string, status int, took time.Duration)
	Now     func() time.Time
	NewID   func() string
}

// requestMessage is what the line of a request is called.
const requestMessage = "request"

// Wrap returns a handler that notes what next does.
func (q *Requests) Wrap(next http.Handler) http.Handler {
	now, newID := q.Now, q.NewID
	if now == nil {
		now = time.Now
	}
	if newID == nil {
		newID = id.Request
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := now()
		x := &exchange{Context: r.Context()}
		e, rec := &x.event, &recorder{ResponseWriter: w}
		e.requestID, e.listener = newID(), q.Listener
		defer func() {
			// A panic with ErrAbortHandler is how a proxied answer is cut short; it must
			// be noted like any other, and go on.
			broken := recover()
			q.note(r, e, rec, now().Sub(began), broken)
			if broken != nil {
				panic(broken)
			}
		}()
		next.ServeHTTP(rec, r.WithContext(x))
	})
}

// exchange is a request's context together with the event that it carries. It
// must not lead to the answer: a socket keeps its context for as long as it is
// open, and the answer has buffers.
type exchange struct {
	context.Context
	event Event
}

// Value implements context.Context.
func (x *exchange) Value(key any) any {
	if key == (eventKey{}) {
		return &x.event
	}
	return x.Context.Value(key)
}

func (q *Requests) note(r *http.Request, e *Event, rec *recorder, took time.Duration, broken any) {
	status := rec.status
	if status == 0 {
		status = http.StatusOK
	}
	if broken != nil && rec.status == 0 {
		status = http.StatusInternalServerError
	}
	method := knownMethod(r.Method)
	if q.Observe != nil {
		q.Observe(q.Listener, e.RouteName(), method, status, took)
	}
	if q.Quiet && broken == nil {
		return
	}
	level := slog.LevelInfo
	switch {
	case broken != nil && broken != http.ErrAbortHandler, status >= 500 && status != http.StatusServiceUnavailable:
		level = slog.LevelError
	}
	ctx := r.Context()
	if !q.Logger.Enabled(ctx, level) {
		return
	}
	var room [20]slog.Attr
	attrs := append(room[:0],
		slog.String("method", method),
		slog.String("path", e.shownPath(r)),
		slog.Int("status", status),
		slog.Float64("ms", milliseconds(took)),
		slog.Int64("bytes", rec.bytes),
	)
	attrs = e.attrs(attrs)
	if broken == http.ErrAbortHandler {
		attrs = append(attrs, slog.Bool("cut_short", true))
	}
	q.Logger.LogAttrs(ctx, level, requestMessage, attrs...)
}

// milliseconds reads the same in text and in JSON, which knows no durations.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// shownPath is the canonical path where somebody settled it, and otherwise what
// was asked for, in its escaped form; both without a query. It is cut, because a
// refused path can be as long as the headers may be.
func (e *Event) shownPath(r *http.Request) string {
	e.mu.Lock()
	path := e.path
	e.mu.Unlock()
	if path == "" {
		path = r.URL.EscapedPath()
	}
	const most = 512
	if len(path) > most {
		path = path[:most] + "…"
	}
	return path
}

// knownMethod keeps invented methods from filling logs and metrics.
func knownMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions, http.MethodConnect, http.MethodTrace:
		return m
	}
	return "other"
}

// recorder notes the status and counts the bytes of a response.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// Unwrap lets http.ResponseController reach what is below (deadlines, full
// duplex).
func (c *recorder) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c *recorder) WriteHeader(status int) {
	// Informational answers come before the one that counts (RFC 9110 section 15.2).
	if c.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		c.status = status
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *recorder) Write(p []byte) (int, error) {
	if c.status == 0 {
		c.status = http.StatusOK
	}
	n, err := c.ResponseWriter.Write(p)
	c.bytes += int64(n)
	return n, err
}

// Flush implements http.Flusher for code that asks for it directly.
func (c *recorder) Flush() { _ = c.FlushError() }

// FlushError is what http.ResponseController asks for.
func (c *recorder) FlushError() error {
	if c.status == 0 {
		c.status = http.StatusOK
	}
	return http.NewResponseController(c.ResponseWriter).Flush()
}

// Hijack implements http.Hijacker. Whoever takes the connection speaks for
// itself from then on; the line says 101 unless a status was written before.
func (c *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(c.ResponseWriter).Hijack()
	if err == nil && c.status == 0 {
		c.status = http.StatusSwitchingProtocols
	}
	return conn, rw, err
}
