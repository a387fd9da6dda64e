package h1

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Client sends requests to one address. Make one with all fields set; it is
// safe for concurrent use.
type Client struct {
	Dial            func(ctx context.Context) (net.Conn, error)
	ResponseTimeout time.Duration // from the request's end to the answer's headers
	IdleTimeout     time.Duration // how long an unused connection is kept
	MaxIdle         int
	MaxHeader       int64         // bytes of an answer's headers
	Slots           chan struct{} // as many connections as it has room; nil: no limit

	mu    sync.Mutex
	idle  []*conn // the one used last is at the end
	sweep *time.Timer
}

// Inform is told of each answer with a 1xx status, on the goroutine that called
// Do and before it returns.
type Inform func(status int, header http.Header) error

// Do sends req and returns when the headers of the answer are there. The body
// of the answer must be closed. The body of the request is read by another
// goroutine, also after Do has returned, until the answer's body is closed or
// at its end; it is not closed. The context governs both bodies.
//
// A failed attempt to connect is returned as Dial reported it, and then nothing
// of the request's body has been read.
func (c *Client) Do(req *http.Request, inform Inform) (*http.Response, error) {
	for {
		k, err := c.get(req.Context())
		if err != nil {
			return nil, err
		}
		reused := k.used
		res, err := k.exchange(req, inform)
		if err == nil {
			return res, nil
		}
		if !reused || !errors.As(err, new(staleError)) || !repeatable(req) {
			return nil, err
		}
	}
}

// repeatable reports whether a request may be sent twice.
func repeatable(req *http.Request) bool {
	if req.Body != nil || req.Context().Err() != nil {
		return false
	}
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// get returns an idle connection that is still good, or a new one.
func (c *Client) get(ctx context.Context) (*conn, error) {
	if c.Slots != nil {
		select {
		case c.Slots <- struct{}{}:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for a connection: %w", context.Cause(ctx))
		}
	}
	for {
		k := c.pop()
		if k == nil {
			break
		}
		if k.quiet() {
			return k, nil
		}
		k.Conn.Close()
	}
	nc, err := c.Dial(ctx)
	if err != nil {
		c.freeSlot()
		return nil, err
	}
	return newConn(c, nc), nil
}

func (c *Client) freeSlot() {
	if c.Slots != nil {
		<-c.Slots
	}
}

func (c *Client) pop() *conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.idle)
	if n == 0 {
		return nil
	}
	k := c.idle[n-1]
	c.idle[n-1], c.idle = nil, c.idle[:n-1]
	return k
}

// put keeps a connection for the next request.
func (c *Client) put(k *conn) {
	defer c.freeSlot()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.idle) >= c.MaxIdle {
		k.Conn.Close()
		return
	}
	k.since = time.Now()
	c.idle = append(c.idle, k)
	if c.sweep == nil {
		c.sweep = time.AfterFunc(c.IdleTimeout, c.closeOld)
	}
}

// drop gives a connection up.
func (c *Client) drop(k *conn) {
	k.Conn.Close()
	c.freeSlot()
}

// closeOld closes what has not been used for IdleTimeout and comes back while
// there is something left.
func (c *Client) closeOld() {
	c.mu.Lock()
	defer c.mu.Unlock()
	limit := time.Now().Add(-c.IdleTimeout)
	old := 0
	for old < len(c.idle) && !c.idle[old].since.After(limit) {
		c.idle[old].Conn.Close()
		old++
	}
	n := copy(c.idle, c.idle[old:])
	clear(c.idle[n:])
	c.idle = c.idle[:n]
	if n == 0 {
		c.sweep = nil
		return
	}
	c.sweep.Reset(time.Until(c.idle[0].since.Add(c.IdleTimeout)) + time.Millisecond)
}

// CloseIdle closes connections that nobody uses.
func (c *Client) CloseIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.idle {
		k.Conn.Close()
	}
	clear(c.idle)
	c.idle = c.idle[:0]
}
