package relay

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse.dev/internal/socket"
)

// Code is a close code (RFC 6455, section 7.4, and its registry).
type Code uint16

// Codes that the gate sends.
const (
	Normal        Code = 1000
	GoingAway     Code = 1001
	ProtocolError Code = 1002
	PolicyEnded   Code = 1008
	TooBig        Code = 1009
	TryAgain      Code = 1013
	BadGateway    Code = 1014
)

// Options are what all relays have in common. Zero fields take defaults.
type Options struct {
	Wheel        *socket.Wheel // required; somebody must Run it
	MaxMessage   int64         // bytes of one message as sent: 1 MiB
	FrameTimeout time.Duration // from a frame's beginning to its end, per 32 KiB: 15 s
	WriteTimeout time.Duration // 10 s
	PingEvery    time.Duration // 30 s of silence
	PingsMissed  int           // 3
	CloseTimeout time.Duration // between the two close frames: 1 s, for receipts wait 1.5 s for sockets to be gone
}

func (o Options) withDefaults() Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&o.FrameTimeout, 15*time.Second)
	def(&o.WriteTimeout, 10*time.Second)
	def(&o.PingEvery, 30*time.Second)
	def(&o.CloseTimeout, time.Second)
	if o.MaxMessage <= 0 {
		o.MaxMessage = 1 << 20
	}
	if o.PingsMissed <= 0 {
		o.PingsMissed = 3
	}
	return o
}

// Hooks connect a relay to what knows whether it may live. All may be nil.
type Hooks struct {
	// Pass is asked before each message or control frame passes, and waits or
	// refuses.
	Pass func(ctx context.Context) error
	// Received and Sent count what the caller sent and got.
	Received, Sent func(bytes int)
	// Closed is called once, when nothing passes any more.
	Closed func()
}

// Relay is one socket. Make it with [Options.New]; it does nothing before Start.
type Relay struct {
	o     Options
	hooks Hooks

	ctx    context.Context // ends when nothing passes any more
	cancel context.CancelFunc

	caller, backend *side
	pumps           sync.WaitGroup
	silence         socket.Timer // who has not been heard is pinged
	goodbye         socket.Timer // the second close frame is waited for

	mu      sync.Mutex
	started bool
	verdict *fault // how the gate ends it; nil: not (yet)
	closing bool   // one side has said goodbye, or the gate
	last    bool   // the caller's pump closes what is left
	unread  bool   // it has ended
	over    sync.Once
}

// side is one end.
type side struct {
	name   string
	conn   net.Conn
	early  []byte // read with the handshake
	masked bool   // whether its frames are
	first  [2]byte

	heard  atomic.Bool // since the last look
	missed int         // pings; the wheel's

	size     int64 // of the message so far; the pump's
	midway   bool  // between fragments; the pump's
	deflate  bool
	deadline bool // a read deadline is set

	write   sync.Mutex // held for a whole frame
	saidBye bool       // a close frame was written to it; under write
	unheard bool       // the close frame did not get out; under write
	spoilt  bool       // a frame was cut short; under write
}

// New makes a relay for a handshake that was accepted.
func (o Options) New(h Hooks) *Relay {
	r := &Relay{o: o.withDefaults(), hooks: h}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// SetHooks replaces the hooks; only before Start.
func (r *Relay) SetHooks(h Hooks) { r.hooks = h }

// Start takes the caller's connection over, answers 101 as the backend did, and
// begins to pass frames. The handler should return afterwards. q must have
// passed socket.Check. On error both connections are gone, and so is the
// answer.
func (r *Relay) Start(w http.ResponseWriter, q *http.Request, p *Peer) error {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		p.Close()
		r.finish()
		return err
	}
	conn.SetDeadline(time.Now().Add(r.o.WriteTimeout))
	answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		accept(q.Header.Get("Sec-WebSocket-Key")) + "\r\n"
	if p.protocol != "" {
		answer += "Sec-WebSocket-Protocol: " + p.protocol + "\r\n"
	}
	if p.deflate != "" {
		answer += "Sec-WebSocket-Extensions: " + p.deflate + "\r\n"
	}
	if _, err := conn.Write([]byte(answer + "\r\n")); err != nil {
		conn.Close()
		p.Close()
		r.finish()
		return err
	}
	early, _ := buffered.Reader.Peek(buffered.Reader.Buffered())
	r.Join(conn, early, p)
	return nil
}

// Join begins to pass frames for a caller whose handshake has been answered in
// the words of p. early is what has been read of its frames.
func (r *Relay) Join(conn net.Conn, early []byte, p *Peer) {
	conn.SetDeadline(time.Time{})
	p.conn.SetDeadline(time.Time{})
	r.caller = &side{name: "caller", conn: conn, early: append([]byte(nil), early...), masked: true, deflate: p.deflate != ""}
	r.backend = &side{name: "backend", conn: p.conn, early: p.early, deflate: p.deflate != ""}
	r.run()
}

func (r *Relay) run() {
	r.pumps.Add(2)
	r.mu.Lock()
	r.started = true
	ended := r.verdict != nil
	r.mu.Unlock()
	r.o.Wheel.Set(&r.silence, r.o.PingEvery, r.look)
	if ended {
		r.execute()
	}
	go func() {
		defer r.pumps.Done()
		r.pumpEnded(r.caller, r.backend, r.pump(r.caller, r.backend, r.hooks.Received))
	}()
	go func() {
		defer r.pumps.Done()
		r.pumpEnded(r.backend, r.caller, r.pump(r.backend, r.caller, r.hooks.Sent))
	}()
}

// End ends the relay with a close code. It returns at once, may be called by
// anybody at any time, also before Start; the first call counts.
func (r *Relay) End(code Code, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.verdict != nil {
		return
	}
	r.verdict = &fault{code, reason}
	if r.started {
		r.execute()
	}
}

// Ended reports whether End was called.
func (r *Relay) ended() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.verdict != nil
}

var errGone = errors.New("the peer is gone")
