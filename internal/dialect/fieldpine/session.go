package fieldpine

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/go-json-experiment/json/jsontext"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/fair"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/inbound"
	"gatehouse.dev/internal/live"
)

// login is one successful login on a socket. Those without a thread make up the
// default session, whose scope is that of all of them; one with a thread (rt)
// is a session of its own for that thread.
type login struct {
	conn     *conn
	thread   string
	handle   *live.Handle
	identity atomic.Pointer[identity.Identity]
}

// login tries to log in. Refusals are silent, also later.
func (c *conn) login(p packet) {
	what, err := parseLogin(p.Values)
	if err != nil {
		c.failures++
		return
	}
	if what.User != "" {
		c.begin(p, what)
		return
	}
	if c.admit(p, attempt(what, c.facts), what.Options, nil) {
		r := p.answer()
		r.Data = emptyObject
		c.send(r)
		c.joinPushes()
	}
}

// admit adds the login that p asks for, if the attempt is believed. ready runs
// before anybody can send anything in its name.
func (c *conn) admit(p packet, a authn.Attempt, o options, ready func()) bool {
	thread, _ := scalar(p.Thread)
	if !c.room(thread) {
		return false
	}
	id, err := c.Door.Login(c.socket.Context(), a)
	if err != nil {
		c.failures++
		return false
	}
	if ready != nil {
		ready()
	}
	l := &login{conn: c, thread: thread}
	l.identity.Store(id)
	l.handle, err = c.Door.Hold(c.socket.Context(), id, live.Conn{
		Kind: live.WebSocket, Dialect: Name, Route: pathSocket, Remote: c.facts.Remote,
		End: l.end, Recheck: l.recheck, Queued: func() int { return c.socket.Stats().Queued },
	})
	if err != nil {
		c.failures++
		return false
	}
	if !c.enter(l, o) {
		l.handle.Close()
		return false
	}
	return true
}

// attempt is what was shown, before it is believed.
func attempt(l shown, facts *inbound.Facts) authn.Attempt {
	a := authn.Attempt{Tenant: facts.Tenant, Dialect: Name, Remote: facts.Remote, RequestID: facts.RequestID, Recent: true, Rationed: true}
	if !l.APIKey.Empty() {
		a.Method, a.Secret = identity.APIKey, l.APIKey
	} else {
		a.Method, a.Secret = identity.ScopedToken, l.Token
	}
	return a
}

// room reports whether the socket may have one more login: there is a limit,
// and a thread has one session.
func (c *conn) room(thread string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.logins) < c.Config.Limits.Logins && c.threadSession(thread) == nil
}

// errGone refuses in the name of a login that is gone.
var errGone = &authn.Refusal{Kind: authn.Invalid, Reason: "the login is gone"}

// enter adds a login, and wakes the socket with the first one. A socket whose
// last login has ended is closing and gets no other.
func (c *conn) enter(l *login, o options) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over || c.leaving != nil || l.handle.Ended() != 0 {
		return false
	}
	c.logins = append(c.logins, l)
	c.options = o
	if c.slots == nil {
		c.slots = make(chan struct{}, c.Config.Limits.Requests)
		c.running = make(map[string]context.CancelFunc)
		c.socket.SetReadLimit(c.Config.Limits.Packet)
		c.Wheel.Stop(&c.timer)
	}
	if c.listed {
		c.listed = false
		c.silent.Leave(fair.Source(c.facts.Remote))
	}
	return true
}

func (c *conn) loggedIn() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.logins) > 0
}

// first is the oldest login, on which the socket's traffic is counted. Call
// with mu held, as threadSession.
func (c *conn) first() *login {
	if len(c.logins) == 0 {
		return nil
	}
	return c.logins[0]
}

// threadSession is the login that has the thread for itself.
func (c *conn) threadSession(thread string) *login {
	if thread == "" {
		return nil
	}
	for _, l := range c.logins {
		if l.thread == thread {
			return l
		}
	}
	return nil
}

// session returns the logins in whose name a packet of that thread acts.
func (c *conn) session(thread jsontext.Value) []*login {
	name, _ := scalar(thread)
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.threadSession(name); l != nil {
		return []*login{l}
	}
	var session []*login
	for _, l := range c.logins {
		if l.thread == "" {
			session = append(session, l)
		}
	}
	return session
}

// end is what live calls: the login goes, and with the last one the socket. One
// that has not been entered yet just is not.
func (l *login) end(cause live.Cause) {
	c := l.conn
	c.mu.Lock()
	i := slices.Index(c.logins, l)
	if i < 0 {
		c.mu.Unlock()
		return
	}
	c.logins = slices.Delete(c.logins, i, i+1)
	last := len(c.logins) == 0
	if last {
		c.leaving = l
	}
	c.mu.Unlock()
	if last {
		c.socket.Close(closing(cause)) // the receipt waits until it is gone
	} else {
		l.handle.Close()
		go c.reviewFirehoses(c.socket.Context())
	}
}

// recheck asks again who it is, after rights have changed. What they may do is
// asked with each packet, and here for what goes on by itself.
func (l *login) recheck(ctx context.Context) (*identity.Identity, error) {
	id, err := l.conn.Door.Renew(ctx, l.identity.Load(), l.conn.facts.Remote)
	if err != nil {
		return nil, err
	}
	l.identity.Store(id)
	return id, l.conn.reviewFirehoses(ctx)
}
