package acqueon

import (
	"cmp"
	"context"
	crand "crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse.dev/internal/fair"
	"gatehouse.dev/internal/feed"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/inbound"
	"gatehouse.dev/internal/live"
	"gatehouse.dev/internal/socket"
)

// conn is one metrics socket, from its handshake on.
type conn struct {
	*service
	facts    *inbound.Facts
	name     string
	user     string // part of the name; a credential may be bound to it
	stamped  bool   // the name has a timestamp, so it is this conn's for ever
	identity atomic.Pointer[identity.Identity]
	came     time.Time

	handle  *live.Handle
	release func() // of the name
	timer   socket.Timer
	prefix  []byte // of every message of the service to this conn

	// Of the reader goroutine.
	chatter      int
	chatterSince time.Time

	// Of the reader goroutine; others see them once they are set for good,
	// through the feed and the pulse that the conn joins then.
	feed *feed.Feed
	zone Zone
	beat int // of the pulse; under its lock

	mu     sync.Mutex
	begun  bool // initialised, so that timer is its expiry
	socket *socket.Conn
	doomed *socket.CloseError // closed before there was a socket
}

// open upgrades an admitted conn and sends its first frame, once it is in the
// index of what is open and its name is its own.
func (c *conn) open(w http.ResponseWriter, r *http.Request) {
	if err := c.claim(r.Context()); err != nil {
		c.refuse(w, r, duplicate)
		return
	}
	sock, err := c.kind.Accept(context.Background(), w, r, nil)
	if err != nil {
		c.release()
		return
	}
	c.attach(sock)
	c.handle, err = c.Door.Hold(sock.Context(), c.identity.Load(), live.Conn{
		Kind: live.WebSocket, Dialect: Name, Route: r.URL.Path, Remote: c.facts.Remote,
		End:     c.end,
		Recheck: c.recheck,
		Queued:  func() int { return sock.Stats().Queued },
	})
	if err != nil { // the right went while the socket was opened
		c.release()
		c.shutUnheld(err)
		return
	}
	c.prefix = servicePrefix(c.name)
	c.Wheel.Set(&c.timer, initTimeout, func() { c.close(socket.CodePolicy, "initialization timeout") })
	c.send(encodeMessage(OpenID(c.name, newConnID())))
	sock.Start(c)
}

// claim takes the name (protocol description, 5.3).
func (c *conn) claim(ctx context.Context) error {
	id := c.identity.Load()
	owner := cmp.Or(id.Credential, id.Principal)
	b := Bearer{Owner: owner, Replaced: func() { c.close(socket.CodePolicy, "replaced") }}
	release, err := c.Names.Claim(ctx, c.facts.Tenant.ID, c.name, b, func(other string) bool {
		if c.stamped {
			return c.Config.NewestWins
		}
		return other == owner
	})
	c.release = release
	return err
}

// newConnID is 32 lower-case hexadecimal digits.
func newConnID() string {
	var b [16]byte
	crand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// shutUnheld closes a socket that was upgraded and then found without a right.
func (c *conn) shutUnheld(err error) {
	why := refusalOf(err)
	code, reason := socket.CodePolicy, failed.reason
	if why.status == http.StatusServiceUnavailable {
		code, reason = socket.CodeTryAgain, why.reason
	}
	c.socket.Start(mute{})
	c.socket.Close(code, reason)
}

// end is what live calls.
func (c *conn) end(cause live.Cause) { c.close(closing(cause)) }

// close may come from anywhere, and before the socket is there.
func (c *conn) close(code uint16, reason string) {
	c.mu.Lock()
	sock := c.socket
	if sock == nil {
		c.doomed = &socket.CloseError{Code: code, Reason: reason}
	}
	c.mu.Unlock()
	if sock != nil {
		sock.Close(code, reason)
	}
}

func (c *conn) attach(sock *socket.Conn) {
	c.mu.Lock()
	c.socket = sock
	doomed := c.doomed
	c.mu.Unlock()
	if doomed != nil {
		sock.Close(doomed.Code, doomed.Reason)
	}
}

// recheck asks again, after rights have changed.
func (c *conn) recheck(ctx context.Context) (*identity.Identity, error) {
	id, err := c.Door.RenewAs(ctx, c.identity.Load(), c.facts.Remote, c.user)
	if err != nil {
		return nil, err
	}
	if err := c.allowed(ctx, id, c.facts); err != nil {
		return nil, err
	}
	c.identity.Store(id)
	c.expire(false)
	return id, nil
}

// send counts a frame and queues it.
func (c *conn) send(f socket.Frame) {
	if err := c.socket.Send(f); err == nil {
		c.handle.Sent(f.Len())
	} else if errors.Is(err, socket.ErrSlow) {
		c.handle.End(live.Slow)
	}
}

// Message implements socket.Handler.
func (c *conn) Message(_ *socket.Conn, _ bool, payload []byte) {
	c.handle.Received(len(payload))
	if c.handle.Pass(c.socket.Context()) != nil {
		return
	}
	initialised := c.feed != nil
	if !initialised {
		// In a turn, as the handshake was, and not behind those that only come. All
		// of it: those who come together also say this together.
		leave, err := c.Turns.Enter(c.socket.Context(), "begun/"+fair.Source(c.facts.Remote))
		if err != nil {
			c.close(socket.CodeTryAgain, "too busy")
			return
		}
		defer leave()
	}
	init, err := ParseInitialization(payload, c.name)
	switch {
	case err == nil && !initialised:
		c.initialise(init)
	case errors.Is(err, ErrUnreadable) && !initialised:
		c.close(socket.CodeInvalid, "not an initialization")
	case errors.Is(err, ErrImpostor):
		c.close(socket.CodePolicy, "sender is not the name of this connection")
	default: // a second initialisation, or something else: ignored and counted
		c.count()
	}
}

// count ends a conn that says too much without meaning.
func (c *conn) count() {
	if time.Since(c.chatterSince) > time.Minute {
		c.chatterSince, c.chatter = time.Now(), 0
	}
	if c.chatter++; c.chatter > chatterLimit {
		c.close(socket.CodePolicy, "too many messages")
	}
}

// initialise sends the list of reports and all of them as they stand, and
// subscribes to what comes.
func (c *conn) initialise(in Initialization) {
	f, err := c.Feeds.Feed(c.facts.Tenant.ID, c.Config.Feed)
	if err != nil {
		c.close(socket.CodeInternal, "no such feed")
		return
	}
	if in.Repaired {
		c.Logger.Info("acqueon: repaired the initialization of a client", "name", c.name)
	}
	c.expire(true) // in the place of the wait for it
	c.send(encodeMessage(ReportList(c.name, in.Zone, time.Now())))

	c.feed, c.zone = f, in.Zone
	f.Subscribe(c, Reports[:], func(state []*feed.Publication) {
		for _, p := range state {
			c.push(p)
		}
	})
	c.pulse.add(c)
}

// expire ends the conn when what it rests on does, by this protocol's own grace.
// Before its initialization the conn ends soon enough without it, so a recheck
// counts only once the initialization has begun it.
func (c *conn) expire(begin bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begun = c.begun || begin
	if !c.begun {
		return
	}
	at := c.identity.Load().Expires
	if at.IsZero() {
		c.Wheel.Stop(&c.timer)
		return
	}
	c.Wheel.Set(&c.timer, time.Until(at)+c.Config.Grace, func() { c.handle.End(live.Expired) })
}

// Publish implements feed.Subscriber: calls are pushed as they change, the
// other reports at their interval.
func (c *conn) Publish(p *feed.Publication) {
	if p.Report == lineReport && p.Key != "" && !p.Removed {
		c.push(p)
	}
}

// now is a context for asking whether a conn may pass messages, without waiting
// until it may: reports that cannot be pushed come again with the next interval.
var now = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// push sends a publication in this conn's zone. What follows the name is
// encoded once for all conns of the zone.
func (c *conn) push(p *feed.Publication) {
	if c.handle.Pass(now) != nil {
		return
	}
	c.send(socket.TextParts(c.prefix, p.Encoded(c.zone, c.zone.encodeReport)))
}

// Ended implements socket.Handler.
func (c *conn) Ended(_ *socket.Conn, why error) {
	c.mu.Lock()
	c.begun = false
	c.Wheel.Stop(&c.timer)
	c.mu.Unlock()
	if c.feed != nil {
		c.pulse.remove(c)
		c.feed.Unsubscribe(c)
	}
	c.release()
	c.handle.Close()
	c.Logger.LogAttrs(context.Background(), slog.LevelInfo, "socket ended",
		slog.String("dialect", Name), slog.String("tenant", c.facts.Tenant.ID), slog.String("conn", c.handle.ID()),
		slog.String("name", c.name), slog.String("principal", c.identity.Load().Principal),
		slog.Float64("lasted_ms", float64(time.Since(c.came).Microseconds())/1000), slog.Any("why", why))
}

// refuse answers a handshake that failed. After the upgrade the refused are
// held silent for a while, within a bound: documented clients come back at once
// and for ever.
func (c *conn) refuse(w http.ResponseWriter, r *http.Request, why *refusal) {
	if why.early || c.Config.BeforeUpgrade {
		why.write(w)
		return
	}
	if c.held.Add(1) > maxHeldBack {
		c.held.Add(-1)
		tooMany.write(w)
		return
	}
	sock, err := c.kind.Accept(context.Background(), w, r, nil)
	if err != nil {
		c.held.Add(-1)
		return
	}
	sock.SetReadLimit(readLimit)
	sock.Start(mute{ended: func() { c.held.Add(-1) }})
	wait := time.Second + rand.N(2*time.Second)
	c.Wheel.Set(&c.timer, wait, func() { sock.Close(why.code, why.reason) })
}

// mute is a socket on which nothing is heard and nothing said.
type mute struct{ ended func() }

func (mute) Message(*socket.Conn, bool, []byte) {}

func (m mute) Ended(*socket.Conn, error) {
	if m.ended != nil {
		m.ended()
	}
}
