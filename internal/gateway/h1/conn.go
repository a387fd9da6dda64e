package h1

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

var errHeaderTooLarge = errors.New("the answer's headers are too large")

// staleError is a failure before any byte of an answer came.
type staleError struct{ error }

func (e staleError) Unwrap() error { return e.error }

// conn is one connection. It belongs to one exchange at a time.
type conn struct {
	net.Conn
	client *Client
	in     *bufio.Reader
	out    *bufio.Writer
	used   bool      // has carried an exchange
	since  time.Time // idle since

	budget  int64 // bytes that may still be read; negative: any number
	arrived bool  // something was read in this exchange

	raw   syscall.RawConn // nil where the connection is no socket
	probe func(fd uintptr) bool
	peek  error // what probe found

	mu       sync.Mutex // guards the order of deadlines
	heading  bool       // the answer's headers are still awaited
	deadline time.Time  // for reading; zero: none
}

func newConn(c *Client, nc net.Conn) *conn {
	k := &conn{Conn: nc, client: c, budget: -1}
	k.in, k.out = bufio.NewReader(k), bufio.NewWriter(nc)
	if s, ok := nc.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			k.raw = raw
			k.probe = func(fd uintptr) bool {
				var b [1]byte
				n, err := syscall.Read(int(fd), b[:])
				switch {
				case n == 0 && err == nil:
					k.peek = io.EOF
				case n > 0:
					k.peek = errors.New("unasked for data")
				case errors.Is(err, syscall.EAGAIN):
					k.peek = nil
				default:
					k.peek = err
				}
				return true // never wait
			}
		}
	}
	return k
}

// quiet reports whether an idle connection is still open and silent.
func (k *conn) quiet() bool {
	if k.in.Buffered() > 0 {
		return false
	}
	if k.raw == nil {
		return true
	}
	if !k.deadline.IsZero() && time.Since(k.deadline) > -time.Second {
		k.deadline = time.Time{} // over, or nearly: the probe would take it for trouble
		k.SetReadDeadline(time.Time{})
	}
	return k.raw.Read(k.probe) == nil && k.peek == nil
}

// Read is what the buffered reader reads from.
func (k *conn) Read(p []byte) (int, error) {
	if k.budget >= 0 {
		if k.budget == 0 {
			return 0, errHeaderTooLarge
		}
		p = p[:min(int64(len(p)), k.budget)]
	}
	n, err := k.Conn.Read(p)
	if n > 0 {
		k.arrived = true
		if k.budget >= 0 {
			k.budget -= int64(n)
		}
	}
	return n, err
}

// await limits the wait for the answer's headers. It may come from the
// goroutine that sends the body. A deadline left by the last exchange is as good
// as a new one, if it leaves three quarters of the time.
func (k *conn) await(ctx context.Context) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now, limit := time.Now(), k.client.ResponseTimeout
	if k.heading && k.deadline.Sub(now) < limit*3/4 {
		k.setReadDeadline(ctx, now.Add(limit))
	}
}

// headed ends that wait: a body may take as long as it likes. One that is here
// already needs no change.
func (k *conn) headed(ctx context.Context, body int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.heading = false
	if !k.deadline.IsZero() && (body < 0 || body > int64(k.in.Buffered())) {
		k.setReadDeadline(ctx, time.Time{})
	}
}

// setReadDeadline must not undo what the end of ctx has set.
func (k *conn) setReadDeadline(ctx context.Context, t time.Time) {
	k.deadline = t
	k.SetReadDeadline(t)
	if ctx.Err() != nil {
		k.SetReadDeadline(past)
	}
}

// past is a deadline that wakes whoever waits.
var past = time.Unix(1, 0)
