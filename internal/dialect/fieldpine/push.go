package fieldpine

import (
	"context"

	"github.com/go-json-experiment/json"

	"gatehouse.dev/internal/push"
)

// Pushes is where a socket hears what backends have to say; package push has
// it. nil: nobody has.
type Pushes interface {
	Join(tenant string, r push.Receiver)
	Leave(tenant string, r push.Receiver)
}

// joinPushes is called with the first login: before it, nothing is said.
func (c *conn) joinPushes() {
	if c.Pushes != nil {
		c.Pushes.Join(c.facts.Tenant.ID, c)
	}
}

func (c *conn) leavePushes() {
	if c.Pushes != nil {
		c.Pushes.Leave(c.facts.Tenant.ID, c)
	}
}

// Packet implements push.Receiver: a request-shaped packet of the server, to
// which no reply is expected (protocol description, 4.4). A socket with several
// logins that are meant gets it once.
func (c *conn) Packet(p *push.Packet) bool {
	for _, l := range c.current() {
		if l.meant(p.To) && l.passes() {
			return c.sendShared(nil, p.Encoded(wireForm{}, encodePacket)) == nil
		}
	}
	return false
}

func (l *login) meant(to push.Target) bool {
	switch {
	case to.All:
		return true
	case to.Conn != "":
		return l.handle.ID() == to.Conn
	}
	return l.identity.Load().Principal == to.Principal
}

// passes reports whether the login may be told anything now. Nobody is waited
// for: whoever asks has others to serve.
func (l *login) passes() bool { return l.handle.Pass(atOnce) == nil }

// atOnce is a context that is over already.
var atOnce = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// current returns the logins, which others may change meanwhile.
func (c *conn) current() []*login {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*login(nil), c.logins...)
}

// wireForm names this dialect's way of encoding.
type wireForm struct{}

func encodePacket(p *push.Packet) []byte {
	raw, err := json.Marshal(packet{Action: p.Action, Values: p.Values})
	if err != nil {
		panic(err) // it was checked
	}
	return raw
}

// LinkStatus is what a client is told before a planned stop: words for its
// user, and the servers that it may go to.
func LinkStatus(message string, servers []string) *push.Packet {
	type server struct {
		URL string `json:"url"`
	}
	v := struct {
		Message string   `json:"message"`
		Servers []server `json:"servers,omitempty"`
	}{Message: message}
	for _, url := range servers {
		v.Servers = append(v.Servers, server{url})
	}
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // nothing in it that JSON cannot say
	}
	return &push.Packet{To: push.Target{All: true}, Action: "fn1.link.link_status", Values: raw}
}
