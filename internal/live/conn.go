package live

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"gatehouse.dev/internal/identity"
)

// ErrEnded means that the conn's end is under way.
var ErrEnded = errors.New("the connection is being ended")

// The kinds of conns.
const (
	WebSocket = "websocket"
	Request   = "request"
)

// Code says why a conn ends.
type Code uint8

// The codes. Each dialect has its own words for them.
const (
	Revoked  Code = iota + 1 // something it rested on was taken away
	Expired                  // its token or key came to its end
	NotFresh                 // this node cannot know any more whether it is allowed; come back
	Draining                 // this node is stopping; come back
	Closed                   // an administrator closed it
	Slow                     // it did not read what was sent
)

func (c Code) String() string {
	switch c {
	case Revoked:
		return "revoked"
	case Expired:
		return "expired"
	case NotFresh:
		return "not fresh"
	case Draining:
		return "draining"
	case Closed:
		return "closed"
	case Slow:
		return "slow"
	}
	return fmt.Sprintf("Code(%d)", uint8(c))
}

// Cause is why a conn ends, and for revocations the number of the change.
type Cause struct {
	Code   Code
	Change int64
}

// Conn is what its owner says about a conn.
type Conn struct {
	ID       string // "con_…"; empty: one is made
	Kind     string // WebSocket or Request
	Dialect  string
	Route    string
	Remote   netip.Addr
	Identity *identity.Identity

	// End makes the owner close the conn soon. It is called at most once, from
	// any goroutine, and must not block. The call may come before Open has
	// returned, and while the owner is closing the conn by itself.
	End func(Cause)
	// Recheck finds out whether the conn would be allowed now, and as whom. An
	// error with Temporary() true is tried again for a while; any other error
	// ends the conn. nil: the conn ends whenever it would be asked.
	Recheck func(ctx context.Context) (*identity.Identity, error)
	// Queued is how many bytes wait to be sent to the caller, for listings; nil
	// where nothing is queued. It must not block.
	Queued func() int
}

// Handle is an open conn. Its methods are safe for concurrent use.
type Handle struct {
	index    *Index
	conn     Conn // as opened; for the identity see current
	opened   time.Time
	current  atomic.Pointer[identity.Identity]
	ended    atomic.Uint32 // Code, 0 while it is live
	received counter
	sent     counter

	// Under the index's lock.
	closed bool
	expiry *time.Timer
	tally  *tally
}

type counter struct{ messages, bytes atomic.Int64 }

func (c *counter) add(n int) {
	c.messages.Add(1)
	c.bytes.Add(int64(n))
}

// ID is the conn's id.
func (h *Handle) ID() string { return h.conn.ID }

// Identity is who the conn belongs to. Its roles may differ from those it was
// opened with.
func (h *Handle) Identity() *identity.Identity { return h.current.Load() }

// Received counts one message of n bytes from the caller.
func (h *Handle) Received(n int) { h.received.add(n) }

// Sent counts one message of n bytes to the caller.
func (h *Handle) Sent(n int) { h.sent.add(n) }

// Ended returns why the conn ends, and 0 while it is live.
func (h *Handle) Ended() Code { return Code(h.ended.Load()) }

// Pass is asked before each message in either direction. It returns nil at
// once while the conn may pass messages, and waits while this node's knowledge
// is too old to say so. It returns ErrEnded once the conn's end is under way.
func (h *Handle) Pass(ctx context.Context) error {
	for {
		if h.Ended() != 0 {
			return ErrEnded
		}
		if h.index.fresh() {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// End ends the conn from the owner's side, such as for a slow reader.
func (h *Handle) End(code Code) { h.end(Cause{Code: code}) }

// end reports whether this call is the one that ended the conn.
func (h *Handle) end(c Cause) bool {
	if !h.ended.CompareAndSwap(0, uint32(c.Code)) {
		return false
	}
	if h.conn.End != nil {
		h.conn.End(c)
	}
	return true
}

// Close takes the conn out of the index. Its owner calls it when the socket is
// closed or the request done, whatever the reason. Calling it again does
// nothing.
func (h *Handle) Close() { h.index.close(h) }
