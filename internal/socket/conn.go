package socket

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
)

// Close codes that this package sends by itself (RFC 6455, 7.4.1).
const (
	CodeNormal      = uint16(ws.StatusNormalClosure)
	CodeGoingAway   = uint16(ws.StatusGoingAway)
	CodeProtocol    = uint16(ws.StatusProtocolError)
	CodeUnsupported = uint16(ws.StatusUnsupportedData)
	CodeInvalid     = uint16(ws.StatusInvalidFramePayloadData)
	CodePolicy      = uint16(ws.StatusPolicyViolation)
	CodeTooBig      = uint16(ws.StatusMessageTooBig)
	CodeInternal    = uint16(ws.StatusInternalServerError)
	CodeTryAgain    = uint16(1013) // RFC 6455's registry: Try Again Later
)

// Errors.
var (
	ErrClosed = errors.New("the socket is closed")
	// ErrSlow is returned by Send, and is the end of the socket, when its queue
	// is full.
	ErrSlow = errors.New("the reader is too slow")

	errSilent = errors.New("the peer answers no pings")
)

// Options are what sockets of one kind have in common. Zero fields take their
// defaults.
type Options struct {
	Wheel *Wheel // required

	ReadLimit    int           // bytes of one message, all fragments: 64 KiB
	ReadTimeout  time.Duration // from the first byte of a message to its last: 15 s
	WriteTimeout time.Duration // for one write: 10 s
	QueueFrames  int           // frames waiting to be sent: 256
	QueueBytes   int           // their bytes: 1 MiB
	PingEvery    time.Duration // zero: 30 s
	PingsMissed  int           // unanswered pings that end the socket: 3
	CloseTimeout time.Duration // for the peer's close frame: 1 s, for receipts wait 1.5 s for sockets to be gone
	NoBinary     bool          // a binary message closes with 1003
}

func (o Options) withDefaults() Options {
	positive(&o.ReadLimit, 64<<10)
	positive(&o.ReadTimeout, 15*time.Second)
	positive(&o.WriteTimeout, 10*time.Second)
	positive(&o.QueueFrames, 256)
	positive(&o.QueueBytes, 1<<20)
	positive(&o.PingEvery, 30*time.Second)
	positive(&o.PingsMissed, 3)
	positive(&o.CloseTimeout, time.Second)
	return o
}

func positive[T int | time.Duration](v *T, byDefault T) {
	if *v <= 0 {
		*v = byDefault
	}
}

// Kind makes sockets with the same options.
type Kind struct{ o Options }

// NewKind fixes the options.
func NewKind(o Options) *Kind { return &Kind{o.withDefaults()} }

// Handler is told what happens on a socket, one thing at a time.
type Handler interface {
	// Message is given a whole message. The payload is valid until it returns.
	// While it runs nothing more is read, so a slow handler slows its peer.
	Message(c *Conn, text bool, payload []byte)
	// Ended is called once, last, when the socket is gone.
	Ended(c *Conn, why error)
}

// Lenient is a Handler that does not want sockets to end with 1009 for a message
// over the read limit, as long as it is no longer than a megabyte.
type Lenient interface {
	Handler
	// TooLong is called in place of Message, when all of it was read and
	// discarded.
	TooLong(c *Conn)
}

// maxSkipped is how much of a message is read only to be discarded.
const maxSkipped = 1 << 20

// Conn is one socket. Its methods may be called by anybody at any time.
type Conn struct {
	kind    *Kind
	raw     net.Conn
	early   []byte
	first   [6]byte // of the frame that is waited for: a client's header, at least
	handler Handler
	ctx     context.Context
	cancel  context.CancelCauseFunc

	readLimit atomic.Int64
	timer     Timer
	missed    atomic.Int32

	mu      sync.Mutex
	queue   []Frame
	waiting int  // bytes in queue and in the hands of the writer
	writing bool // a writer lives
	closing bool // a close frame is queued or sent; nothing more may be
	last    bool // the connection is closed when the queue is empty
	why     error

	in, out stats
}

type stats struct{ messages, bytes atomic.Int64 }

// Stats counts messages and their bytes.
type Stats struct {
	MessagesIn, BytesIn, MessagesOut, BytesOut int64
	Queued                                     int // bytes waiting to be sent
}

// Accept takes over the connection of a request that passed [Check], answers
// 101 with the further header fields, and returns the socket, on which nothing
// happens before Start. When it fails the connection is gone.
//
// The socket lives in its own context, a child of ctx. That should not be the
// request's, which ends with its handler and would keep all that led to it.
func (k *Kind) Accept(ctx context.Context, w http.ResponseWriter, r *http.Request, header http.Header) (*Conn, error) {
	raw, early, err := upgrade(w, r, header)
	if err != nil {
		return nil, err
	}
	return k.newConn(ctx, raw, early), nil
}

func (k *Kind) newConn(ctx context.Context, raw net.Conn, early []byte) *Conn {
	c := &Conn{kind: k, raw: raw, early: early}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	c.readLimit.Store(int64(k.o.ReadLimit))
	return c
}

// Start begins to read and to ping. The HTTP handler should return after it.
func (c *Conn) Start(h Handler) {
	c.handler = h
	c.schedulePing()
	go c.read()
}

// Context ends when the socket does.
func (c *Conn) Context() context.Context { return c.ctx }

// SetReadLimit changes how long messages may be from the next one on.
func (c *Conn) SetReadLimit(n int) { c.readLimit.Store(int64(n)) }

// Stats returns the counters.
func (c *Conn) Stats() Stats {
	c.mu.Lock()
	queued := c.waiting
	c.mu.Unlock()
	return Stats{c.in.messages.Load(), c.in.bytes.Load(), c.out.messages.Load(), c.out.bytes.Load(), queued}
}

func (c *Conn) schedulePing() {
	c.kind.o.Wheel.Set(&c.timer, c.kind.o.PingEvery, c.ping)
}

// ping runs on the wheel's goroutine.
func (c *Conn) ping() {
	if c.ctx.Err() != nil {
		return
	}
	if int(c.missed.Add(1)) > c.kind.o.PingsMissed {
		// Not here: closing TLS may take seconds, and the wheel serves all.
		c.kind.o.Wheel.enders.do((*silenced)(c))
		return
	}
	c.enqueue(pingFrame, false)
	c.schedulePing()
}

// drop ends the socket at once, without a close frame.
func (c *Conn) drop(why error) {
	c.abandon(why)
	c.raw.Close()
}

// abandon is drop but for closing the connection, which over TLS may take seconds.
func (c *Conn) abandon(why error) {
	c.mu.Lock()
	if c.why == nil {
		c.why = why
	}
	c.closing = true
	c.queue = nil
	c.mu.Unlock()
	c.cancel(why)
}
