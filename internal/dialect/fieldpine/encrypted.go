package fieldpine

import (
	"time"

	"gatehouse.dev/client/fieldpine/enc"
	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/socket"
)

// refusalTime is when a conn whose first encrypted packet proved nothing is
// closed, counted from its arrival: always the same, whatever there was to look
// up for a name, and far above what that takes.
const refusalTime = 250 * time.Millisecond

// pending is a login by encrypting, between the hash and the first packet.
type pending struct {
	packet packet // the login
	shown  shown
	name   string // the normalised user name
	server [enc.NonceSize]byte
}

// begin answers a name with a hash, the same for names that nobody has. It is
// the one thing that is said to somebody who has proved nothing. A socket is
// encrypted from its first login on or not at all: what was asked before could
// not be answered in between.
func (c *conn) begin(p packet, what shown) {
	name, err := principal.NormaliseName(principal.User, what.User)
	if err != nil || c.loggedIn() {
		c.failures++
		return
	}
	next := &pending{packet: p, shown: what, name: name, server: enc.NewNonce()}
	salt, err := c.Door.Begin(c.socket.Context(), next.attempt(c))
	if err != nil {
		c.failures++
		return
	}
	c.pending = next
	r := p.answer()
	// Digits, letters, "-", "_" and "$": JSON takes them as they are.
	r.Data = []byte(`{"hash":"` + enc.FormatHash(salt, next.server) + `"}`)
	c.send(r)
}

func (n *pending) attempt(c *conn) authn.Attempt {
	return authn.Attempt{
		Tenant: c.facts.Tenant, Dialect: Name, Method: identity.Encryption, Name: n.name,
		Remote: c.facts.Remote, RequestID: c.facts.RequestID, Rationed: true,
	}
}

// prove takes the first packet after the hash. Anything but one that decrypts
// ends the conn without a reply.
func (c *conn) prove(text bool, payload []byte) {
	arrived, next := time.Now(), c.pending
	c.pending = nil
	var first []byte
	ok := false
	c.inTurn(func() { first, ok = c.proved(next, text, payload) })
	if !ok {
		c.doomed = true
		c.Wheel.Set(&c.timer, max(0, time.Until(arrived.Add(refusalTime))), func() { c.socket.Close(socket.CodePolicy, "") })
		return
	}
	c.joinPushes()
	c.request(true, first)
}

func (c *conn) proved(next *pending, text bool, payload []byte) (first []byte, ok bool) {
	decoded, ok := encrypted(text, payload)
	if !ok {
		return nil, false
	}
	client, frame, err := enc.SplitFirst(decoded)
	if err != nil {
		return nil, false
	}
	var session *enc.Session
	a := next.attempt(c)
	a.Prove = func(k secret.Key) bool {
		s, err := enc.NewServer(k.Bytes(), next.server, client, next.shown.User)
		if err != nil {
			return false
		}
		plain, err := s.Open(frame)
		if err != nil {
			return false
		}
		session, first = s, plain
		return true
	}
	return first, c.admit(next.packet, a, next.shown.Options, func() {
		c.writing.Lock()
		defer c.writing.Unlock()
		c.sealer = &sealer{session}
	}) && session != nil
}

// unseal takes a packet of an encrypted session. One that is in clear, altered,
// or not the next one ends the conn.
func (c *conn) unseal(text bool, payload []byte) {
	frame, ok := encrypted(text, payload)
	if ok {
		plain, err := c.sealer.session.Open(frame)
		if err == nil {
			c.request(true, plain)
			return
		}
	}
	c.socket.Close(socket.CodePolicy, "not the next encrypted packet")
}

// encrypted takes the frame out of a packet that has nothing but enc.
func encrypted(text bool, payload []byte) (frame []byte, ok bool) {
	p, err := parsePacket(payload)
	if !text || err != nil || len(p.Enc) == 0 {
		return nil, false
	}
	in, ok := scalar(p.Enc)
	if !ok {
		return nil, false
	}
	frame, err = enc.Decode(in)
	return frame, err == nil
}

// sealer is the server's end of an encrypted session.
type sealer struct{ session *enc.Session }

// envelope is the packet as it travels: encrypted, and nothing else in it.
func (s *sealer) envelope(packet []byte) []byte {
	text := s.session.Seal(packet) // base64, which JSON takes as it is
	out := make([]byte, 0, len(text)+10)
	return append(append(append(out, `{"enc":"`...), text...), `"}`...)
}
