package proxy

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

var (
	errBodyTooLarge = errors.New("request body over the limit")
	errBodyOver     = errors.New("request body read after the exchange")
	errBadStatus    = errors.New("impossible status")
)

// A caller is given this to finish sending a body that nobody wants any more.
// Then its connection is of no further use.
const (
	skipTime  = 500 * time.Millisecond
	skipBytes = 256 << 10
)

// past is a deadline that wakes whoever waits.
var past = time.Unix(1, 0)

// callerError is trouble with the caller's side of the exchange, which says
// nothing about the backend.
type callerError struct{ error }

func (callerError) CallerSide() bool { return true }
func (e callerError) Unwrap() error  { return e.error }

// body is the caller's body on its way to the backend. The transport may go on
// reading it after the answer has come, and after the handler has returned if
// it is not stopped.
type body struct {
	source  *http.Request
	in      io.Reader // its body
	control *http.ResponseController
	limit   int64
	stall   time.Duration
	trailer http.Header // announced and allowed; filled in at the end

	over atomic.Bool // no more reads

	mu    sync.Mutex // held while reading
	read  int64
	armed time.Time
	asked bool  // somebody has read
	err   error // what reading ended with; io.EOF when whole
}

func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over.Load() {
		return 0, errBodyOver
	}
	if b.err != nil {
		return 0, b.err
	}
	b.asked = true
	if now := time.Now(); now.Sub(b.armed) > b.stall/4 {
		b.armed = now
		b.control.SetReadDeadline(now.Add(b.stall))
	}
	n, err := b.in.Read(p)
	b.read += int64(n)
	switch {
	case b.limit > 0 && b.read > b.limit:
		b.err = callerError{errBodyTooLarge}
		return 0, b.err
	case errors.Is(err, io.EOF):
		for name := range b.trailer {
			b.trailer[name] = b.source.Trailer[name]
		}
		// From here on the server listens for the caller's leaving, which may
		// take longer than any stall.
		b.control.SetReadDeadline(time.Time{})
		b.err = io.EOF
	case err != nil:
		b.err = callerError{err}
	}
	return n, b.err
}

// Close does nothing: a transport calls it before another address is tried.
func (b *body) Close() error { return nil }

// finish makes sure that nobody reads any more, and leaves the body either at
// its end or unreadable. net/http skips the rest of a body by itself, but when
// it meets the end while doing so after a full-duplex exchange, it trips over
// its own watch for the caller's leaving.
func (b *body) finish(answered bool) {
	b.over.Store(true)
	if !b.mu.TryLock() { // a read that waits for the caller
		b.control.SetReadDeadline(past)
		b.mu.Lock()
	}
	defer b.mu.Unlock()
	if errors.Is(b.err, io.EOF) || b.source.ProtoMajor != 1 {
		return
	}
	if !b.asked && b.source.Header.Get("Expect") != "" {
		return // the caller waits to be asked, and the server knows
	}
	if answered {
		b.control.Flush()
	}
	if b.err == nil || errors.Is(b.err, errBodyTooLarge) {
		b.control.SetReadDeadline(time.Now().Add(skipTime))
		if _, err := io.CopyN(io.Discard, b.in, skipBytes); err != nil {
			return // at the end, or never
		}
	}
	b.control.SetReadDeadline(past)
	io.Copy(io.Discard, b.in) // what is buffered
}

// trouble is what reading the caller's body failed with, or nil. With wait, a
// read that is about to fail is waited for.
func (b *body) trouble(wait bool) error {
	if b == nil {
		return nil
	}
	if !b.mu.TryLock() {
		if !wait {
			return nil
		}
		b.control.SetReadDeadline(past)
		b.mu.Lock()
	}
	defer b.mu.Unlock()
	if errors.Is(b.err, io.EOF) {
		return nil
	}
	return b.err
}
