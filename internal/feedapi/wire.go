package feedapi

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"gatehouse.dev/internal/inbound"
)

// past is a deadline that wakes whoever waits.
var past = time.Unix(1, 0)

// wire is a caller's body and the answer to it, with deadlines that another
// goroutine can put into the past for good.
type wire struct {
	in       io.Reader
	control  *http.ResponseController
	http1    bool
	patience time.Duration

	mu                sync.Mutex // held while a deadline is moved, not while bytes are
	deaf, mute, whole bool
}

func newWire(w http.ResponseWriter, r *http.Request, patience time.Duration) *wire {
	return &wire{
		in: inbound.Unguarded(r.Body), control: http.NewResponseController(w), http1: r.ProtoMajor == 1, patience: patience,
	}
}

// Read implements io.Reader. It does not move the deadline: see listen.
func (x *wire) Read(p []byte) (int, error) {
	n, err := x.in.Read(p)
	if errors.Is(err, io.EOF) {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.whole = true
		if !x.deaf { // from here on the server listens for the caller's leaving
			x.control.SetReadDeadline(time.Time{})
		}
	}
	return n, err
}

// listen gives the caller the time for one body, or one line.
func (x *wire) listen() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.deaf && !x.whole {
		x.control.SetReadDeadline(time.Now().Add(x.patience))
	}
}

// speak gives the caller the time to take an answer.
func (x *wire) speak() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.mute {
		x.control.SetWriteDeadline(time.Now().Add(x.patience))
	}
}

func (x *wire) stopReading() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.deaf = true
	x.control.SetReadDeadline(past)
}

// stopWriting wakes whoever writes, unless the exchange is over: the connection
// then serves somebody else.
func (x *wire) stopWriting() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.mute {
		x.mute = true
		x.control.SetWriteDeadline(past)
	}
}

// close leaves the deadlines to the server.
func (x *wire) close() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.deaf, x.mute = true, true
}

// abandon makes the rest of a body unreadable. After a full-duplex exchange
// net/http must not skip it by itself: when it meets the end while doing so, it
// trips over its own watch for the caller's leaving.
func (x *wire) abandon() {
	x.mu.Lock()
	whole := x.whole
	x.mu.Unlock()
	if whole || !x.http1 {
		return
	}
	x.stopReading()
	io.Copy(io.Discard, x.in) // what is buffered
}
