package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/gateway/canonical"
	"gatehouse.dev/internal/gateway/hygiene"
	"gatehouse.dev/internal/gateway/relay"
	"gatehouse.dev/internal/gateway/upstream"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/live"
	"gatehouse.dev/internal/logging"
	"gatehouse.dev/internal/socket"
)

// serveSocket lets a WebSocket through and holds it. Everything that can be
// refused is refused before the connection is taken over, in HTTP.
func (g *Gateway) serveSocket(w http.ResponseWriter, r *http.Request, c *call) {
	if status, detail := socket.Check(r); status != http.StatusOK {
		if status == http.StatusUpgradeRequired {
			w.Header().Set("Upgrade", "websocket")
			w.Header().Set("Sec-WebSocket-Version", "13")
		}
		reject(w, r, c.facts, status, detail)
		return
	}
	if !c.originFits(r) {
		reject(w, r, c.facts, http.StatusForbidden, "pages of that origin may not open sockets here")
		return
	}
	id, err := g.admit(r, r.Method, c, true)
	if err != nil && c.accepts.message && asRefusal(err).Kind == authn.Missing {
		g.serveFirstMessage(w, r, c)
		return
	}
	if err != nil {
		c.refuse(w, r, c.facts, err)
		return
	}
	carried, err := g.socketCarriage(r, c, id)
	if err != nil {
		reject(w, r, c.facts, http.StatusBadRequest, err.Error())
		return
	}
	if peer := g.openPeer(w, r, carried); peer != nil {
		g.hold(w, r, carried, peer)
	}
}

// socketCarriage is what the backend of a socket gets.
func (g *Gateway) socketCarriage(r *http.Request, c *call, id *identity.Identity) (*carriage, error) {
	query := c.query
	if c.KeyQuery != "" && !c.PassCredential {
		query = canonical.Without(query, c.KeyQuery)
	}
	if c.accepts.ticket { // it is used up: nobody can need it any more
		query = canonical.Without(query, ticketParameter)
	}
	to, err := c.forwarded(c.path, c.rest)
	return &carriage{
		facts: c.facts, route: c.Name, upstream: c.Upstream, rules: &c.rules, path: to, query: query,
		id: id, recheck: g.recheck(http.MethodGet, c, id), amend: c.amend(r),
	}, err
}

// dialPeer makes the handshake with the backend for a caller who cannot be
// answered in HTTP any more.
func (g *Gateway) dialPeer(r *http.Request, c *carriage) (*relay.Peer, error) {
	header, err := g.header(r, c)
	if err != nil {
		return nil, err
	}
	o := relay.Opening{Upstream: c.upstream.Pool, Path: c.path, Query: c.query, Header: header}
	if c.upstream.KeepHost {
		o.Host = c.facts.Authority
	}
	peer, res, err := relay.Dial(r.Context(), o)
	if err == nil && res != nil {
		return nil, fmt.Errorf("the upstream answered the handshake with %d", res.StatusCode)
	}
	return peer, err
}

// openPeer makes the handshake with the backend. A nil Peer means that the
// caller has been answered.
func (g *Gateway) openPeer(w http.ResponseWriter, r *http.Request, c *carriage) *relay.Peer {
	header, err := g.header(r, c)
	if err != nil {
		g.failHeader(w, r, c, err)
		return nil
	}
	o := relay.Opening{Upstream: c.upstream.Pool, Path: c.path, Query: c.query, Header: header}
	if c.upstream.KeepHost {
		o.Host = c.facts.Authority
	}
	began := g.now()
	peer, res, err := relay.Dial(r.Context(), o)
	logging.From(r.Context()).Upstream(c.upstream.Pool.Name(), g.now().Sub(began))
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded):
		g.fail(w, r, c, http.StatusGatewayTimeout, "the upstream did not answer in time")
	case errors.As(err, new(*upstream.DialError)):
		g.fail(w, r, c, http.StatusBadGateway, "the upstream cannot be reached")
	case err != nil:
		g.fail(w, r, c, http.StatusBadGateway, "the upstream did not give a usable answer")
	case res != nil: // refused in its own words
		hygiene.Response(w.Header(), res.Header)
		if c.amend != nil {
			c.amend(w.Header())
		}
		w.Header().Del("Content-Length") // the body was read, maybe not whole
		w.WriteHeader(res.StatusCode)
		io.Copy(w, res.Body)
	}
	return peer
}

// hold puts the socket in the live index, takes the connection over and lets
// frames pass.
func (g *Gateway) hold(w http.ResponseWriter, r *http.Request, c *carriage, peer *relay.Peer) {
	s := g.sockets.New(relay.Hooks{})
	if c.id != nil {
		h, err := g.door.Hold(r.Context(), c.id, live.Conn{
			Kind: live.WebSocket, Dialect: Name, Route: c.route, Remote: c.facts.Remote, Recheck: c.recheck,
			End: func(cause live.Cause) { s.End(goodbye(cause.Code)) },
		})
		if err != nil {
			peer.Close()
			a := answerTo(asRefusal(err).Kind)
			g.fail(w, r, c, a.status, a.detail)
			return
		}
		s.SetHooks(relay.Hooks{Pass: h.Pass, Received: h.Received, Sent: h.Sent, Closed: h.Close})
	}
	if err := s.Start(w, r, peer); err != nil {
		logging.From(r.Context()).Refused("the caller left during the handshake")
	}
}

// goodbye is the close code and reason for each way of ending.
func goodbye(code live.Code) (relay.Code, string) {
	switch code {
	case live.Revoked:
		return relay.PolicyEnded, "revoked"
	case live.Expired:
		return relay.PolicyEnded, "expired"
	case live.Closed:
		return relay.PolicyEnded, "closed by an administrator"
	case live.NotFresh:
		return relay.TryAgain, "not fresh"
	case live.Draining:
		return relay.GoingAway, "draining"
	}
	return relay.PolicyEnded, code.String()
}
