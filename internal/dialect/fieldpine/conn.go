package fieldpine

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"gatehouse.dev/internal/fair"
	"gatehouse.dev/internal/inbound"
	"gatehouse.dev/internal/live"
	"gatehouse.dev/internal/socket"
)

// conn is one FD1 socket.
type conn struct {
	*service
	facts  *inbound.Facts
	socket *socket.Conn
	timer  socket.Timer
	slots  chan struct{} // one for each request under way; nil before a login

	// Of the reader goroutine.
	failures int
	strays   int      // packets before a login that ask for something else
	listed   bool     // counts among the silent
	pending  *pending // a login by encrypting that is not proved yet
	doomed   bool     // it was not proved: nothing is read any more

	writing sync.Mutex // orders what is sent; taken before mu, never while it is held
	sealer  *sealer    // of an encrypted session, else nil; set by the reader goroutine

	mu      sync.Mutex
	logins  []*login
	leaving *login                        // the last one, whose end is the socket's
	running map[string]context.CancelFunc // by request id
	options options
	hoses   []*firehose  // replaced, never changed
	outer   *live.Handle // of what opened the outer gate; nil: there is none
	over    bool
}

// openSocket upgrades. Who it is comes later, in the first packet.
func (s *service) openSocket(w http.ResponseWriter, r *http.Request, facts *inbound.Facts) {
	if status, problem := socket.Check(r); problem != "" {
		socket.Refuse(w, status, problem)
		return
	}
	if !s.originAllowed(r.Header.Values("Origin")) {
		refuse(w, packet{}, http.StatusForbidden, "this origin may not connect")
		return
	}
	if wait := s.Door.Unwelcome(facts.Tenant.ID, facts.Remote); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		refuse(w, packet{}, http.StatusTooManyRequests, "too many refused logins")
		return
	}
	outer, ok := s.passOuter(w, r, facts)
	if !ok {
		return
	}
	from := fair.Source(facts.Remote)
	if !s.silent.Take(from) {
		w.Header().Set("Retry-After", "5")
		refuse(w, packet{}, http.StatusTooManyRequests, "too many sockets that have not logged in")
		return
	}
	maker, status, err := s.redeem(r, facts) // after which the ticket is used up
	if err != nil {
		s.silent.Leave(from)
		refuse(w, packet{}, status, err.Error())
		return
	}
	sock, err := s.kind.Accept(context.Background(), w, r, nil)
	if err != nil {
		s.silent.Leave(from)
		return
	}
	c := &conn{service: s, facts: facts, socket: sock, listed: true}
	s.Wheel.Set(&c.timer, loginTimeout, func() { sock.Close(socket.CodePolicy, "") })
	if s.Config.Hello {
		sock.Send(socket.Text([]byte("{}")))
	}
	if c.holdOuter(outer) && maker != nil {
		c.resume(maker)
	}
	sock.Start(c)
}

// originAllowed keeps pages of other origins out, where the configuration names
// some. Programs send none.
func (s *service) originAllowed(origins []string) bool {
	return len(s.Config.Origins) == 0 || len(origins) == 0 ||
		len(origins) == 1 && slices.Contains(s.Config.Origins, origins[0])
}

// Message implements socket.Handler.
func (c *conn) Message(_ *socket.Conn, text bool, payload []byte) {
	c.received(len(payload))
	switch {
	case c.doomed:
	case c.pending != nil:
		c.prove(text, payload)
	case c.sealer != nil:
		c.unseal(text, payload)
	case c.loggedIn():
		c.request(text, payload)
	case c.failures < maxFailures && c.strays < maxStrays:
		c.inTurn(func() { c.introduce(text, payload) })
	}
}

// inTurn does what is owed to somebody who is not known yet. Ten thousand of them
// who come at once all say who they are at the same moment.
func (c *conn) inTurn(do func()) {
	leave, err := c.Turns.Enter(c.socket.Context(), fair.Source(c.facts.Remote))
	if err != nil { // says nothing about the credential
		c.socket.Close(socket.CodeTryAgain, "")
		return
	}
	defer leave()
	do()
}

// introduce takes a packet of somebody who has not logged in. Until that succeeds
// nothing is said and nothing done, in words or in time: the socket ends when it
// would have ended anyway.
func (c *conn) introduce(text bool, payload []byte) {
	p, err := parsePacket(payload)
	switch {
	case !text || errors.Is(err, errNotPacket):
		c.failures++
	case err == nil && p.Action == actionLogin:
		c.login(p)
	default:
		c.strays++
	}
}

// TooLong implements socket.Lenient.
func (c *conn) TooLong(*socket.Conn) {
	switch {
	case c.doomed:
		return
	case c.pending != nil:
		c.prove(false, nil)
		return
	case c.sealer != nil: // its place in the order is lost
		c.socket.Close(socket.CodeTooBig, "the packet is too large")
		return
	case !c.loggedIn():
		c.failures++
		return
	}
	c.send(packet{}.failed(http.StatusRequestEntityTooLarge, "the packet is too large"))
}

// request takes one packet of somebody who has logged in.
func (c *conn) request(text bool, payload []byte) {
	p, err := parsePacket(payload)
	switch {
	case errors.Is(err, errForeign):
		return
	case !text || errors.Is(err, errNotPacket) || len(p.Enc) > 0:
		c.send(packet{}.failed(http.StatusBadRequest, "not an FD1 packet"))
	case err != nil:
		c.send(p.failed(http.StatusBadRequest, err.Error()))
	case p.Action == actionLogin:
		c.inTurn(func() { c.login(p) })
	case p.Action == actionIgnore:
	case p.Action == actionOption:
		c.setOption(p)
	case p.Action == actionCancel:
		c.cancel(p)
	case p.Action == actionFirehose:
		c.openFirehose(p)
	default:
		c.call(p)
	}
}

// setOption takes late facts about the client, the last one winning.
func (c *conn) setOption(p packet) {
	o, err := parseOptions(p.Values)
	if err != nil {
		c.send(p.failed(http.StatusBadRequest, "v must be an object"))
		return
	}
	c.mu.Lock()
	if o.Geo != nil {
		c.options.Geo = o.Geo
	}
	c.mu.Unlock()
	c.acknowledge(p)
}

// acknowledge answers a packet that needs no answer, if it asked for one.
func (c *conn) acknowledge(p packet) {
	if len(p.Request) > 0 {
		r := p.answer()
		r.Data = emptyObject
		c.send(r)
	}
}

var emptyObject = jsontext.Value("{}")

// send queues a packet.
func (c *conn) send(r reply) {
	data, err := r.encode()
	if err != nil {
		c.Logger.Error("fieldpine: cannot encode a reply", "error", err)
		return
	}
	c.sendRaw(data)
}

// sendRaw sends the JSON of one packet. Everything that is said on a conn goes
// through here or through sendShared.
func (c *conn) sendRaw(data []byte) { _ = c.sendShared(nil, data) }

// sendShared sends the JSON of one packet in two pieces, of which the second may
// be shared with other conns: it is neither changed nor copied unless the
// session is encrypted. It returns what became of it, after ending a login that
// is too slow.
func (c *conn) sendShared(own, shared []byte) error {
	err := c.write(own, shared)
	c.mu.Lock()
	first := c.first()
	c.mu.Unlock()
	switch {
	case first == nil:
	case err == nil:
		first.handle.Sent(len(own) + len(shared))
	case errors.Is(err, socket.ErrSlow):
		first.handle.End(live.Slow)
	}
	return err
}

// write queues a packet. An encrypted one takes its number and its place in the
// queue in one step: frames must arrive in the order of their counters.
func (c *conn) write(own, shared []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.sealer == nil {
		return c.socket.Send(socket.TextParts(own, shared))
	}
	plain := append(append(make([]byte, 0, len(own)+len(shared)), own...), shared...)
	return c.socket.Send(socket.Text(c.sealer.envelope(plain)))
}

func (c *conn) received(n int) {
	c.mu.Lock()
	first := c.first()
	c.mu.Unlock()
	if first != nil {
		first.handle.Received(n)
	}
}

// Ended implements socket.Handler.
func (c *conn) Ended(_ *socket.Conn, why error) {
	c.Wheel.Stop(&c.timer)
	if c.listed {
		c.silent.Leave(fair.Source(c.facts.Remote))
	}
	c.mu.Lock()
	c.over = true
	logins := c.logins
	if c.leaving != nil {
		logins = append(logins, c.leaving)
	}
	c.logins, c.hoses = nil, nil
	for _, cancel := range c.running {
		cancel()
	}
	c.mu.Unlock()
	c.leavePushes()
	if c.outer != nil {
		c.outer.Close()
	}
	for _, l := range logins {
		l.handle.Close()
	}
	c.Logger.LogAttrs(context.Background(), slog.LevelInfo, "socket ended",
		slog.String("dialect", Name), slog.String("tenant", c.facts.Tenant.ID),
		slog.Int("logins", len(logins)), slog.Any("why", why))
}

// retryAfter writes the header when there is something to wait for.
func retryAfter(h http.Header, seconds int) {
	if seconds > 0 {
		h.Set("Retry-After", strconv.Itoa(min(seconds, math.MaxInt32)))
	}
}
