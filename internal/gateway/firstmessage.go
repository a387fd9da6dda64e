package gateway

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/gobwas/ws"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/fair"
	"gatehouse.dev/internal/gateway/problem"
	"gatehouse.dev/internal/gateway/relay"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/inbound"
	"gatehouse.dev/internal/live"
	"gatehouse.dev/internal/logging"
	"gatehouse.dev/internal/secret"
)

// FirstMessage says how the first message of a socket carries a credential.
type FirstMessage struct {
	Member string     // of a JSON object; empty: the whole text
	As     Credential // Bearer or Key
}

// Bounds of sockets that have not said who they are.
const (
	firstMessageTime  = 10 * time.Second
	firstMessageBytes = 20 << 10
	firstMessageOther = 8 // control frames before it
	maxPending        = 4096
)

// serveFirstMessage opens a socket whose caller says who it is in its first
// message. The gate answers the handshake by itself, swallows that message, and
// only then is the backend dialled: it sees a caller that showed everything in
// time.
func (g *Gateway) serveFirstMessage(w http.ResponseWriter, r *http.Request, c *call) {
	from := fair.Source(c.facts.Remote)
	if !g.pending.Take(from) {
		problem.RetryAfter(w.Header(), 5*time.Second)
		reject(w, r, c.facts, http.StatusServiceUnavailable, "too many sockets have not said who they are")
		return
	}
	waiting := true
	known := func() {
		if waiting {
			waiting = false
			g.pending.Leave(from)
		}
	}
	defer known()
	protocol := offeredProtocol(r.Header)
	s, err := answerHandshake(w, r, protocol)
	if err != nil {
		logging.From(r.Context()).Refused("the caller left during the handshake")
		return
	}
	// The request's context ends with its handler's work on the connection; what
	// is decided about a socket is not cut short by that.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), firstMessageTime+30*time.Second)
	defer cancel()
	r = r.WithContext(ctx)
	text, err := s.read()
	if err != nil {
		s.refuse(r, relay.PolicyEnded, "", "no first message that can be read")
		return
	}
	id, err := g.admitMessage(r, c, text)
	if err != nil {
		code := relay.PolicyEnded
		if asRefusal(err).Kind == authn.Unavailable {
			code = relay.TryAgain
		}
		s.refuse(r, code, "", asRefusal(err).Reason)
		return
	}
	known()
	g.joinBackend(r, c, s, id, protocol)
}

// admitMessage believes whoever sent that first message.
func (g *Gateway) admitMessage(r *http.Request, c *call, text []byte) (*identity.Identity, error) {
	a, refusal := c.FirstMessage.attempt(text, c.facts)
	if refusal != nil {
		return nil, refusal
	}
	id, err := g.door.Login(r.Context(), a)
	if err != nil {
		return nil, err
	}
	return id, g.let(r, http.MethodGet, c, id)
}

func (f FirstMessage) attempt(text []byte, facts *inbound.Facts) (authn.Attempt, *authn.Refusal) {
	a := authn.Attempt{Tenant: facts.Tenant, Dialect: Name, Remote: facts.Remote, RequestID: facts.RequestID}
	shown := strings.TrimSpace(string(text))
	if f.Member != "" {
		var members map[string]any
		if json.Unmarshal(text, &members) != nil {
			return a, malformed("first message is not a JSON object")
		}
		shown, _ = members[f.Member].(string)
	}
	if shown == "" {
		return a, &authn.Refusal{Kind: authn.Missing, Reason: "no credential in the first message"}
	}
	if f.As == Key {
		a.Method, a.Secret = identity.APIKey, secret.New(shown)
		return a, nil
	}
	refusal := bearer(&a, shown)
	return a, refusal
}

// joinBackend makes the handshake with the backend and lets frames pass.
func (g *Gateway) joinBackend(r *http.Request, c *call, s *opened, id *identity.Identity, protocol string) {
	carried, err := g.socketCarriage(r, c, id)
	if err != nil {
		s.refuse(r, relay.PolicyEnded, "", err.Error())
		return
	}
	// What has been promised to the caller: this subprotocol and no extension.
	q := r.Clone(r.Context())
	q.Header.Del("Sec-Websocket-Extensions")
	q.Header.Del("Sec-Websocket-Protocol")
	if protocol != "" {
		q.Header.Set("Sec-Websocket-Protocol", protocol)
	}
	peer, err := g.dialPeer(q, carried)
	if err == nil && peer.Protocol() != protocol {
		peer.Close()
		err = errors.New("the upstream speaks another subprotocol")
	}
	var refusal *authn.Refusal
	if errors.As(err, &refusal) {
		s.refuse(r, relay.PolicyEnded, "", refusal.Reason)
		return
	}
	if err != nil {
		g.logger.WarnContext(r.Context(), "no socket to the upstream", "upstream", c.Upstream.Pool.Name(), "error", err)
		s.refuse(r, relay.BadGateway, "the upstream cannot be reached", "the upstream cannot be reached")
		return
	}
	sock := g.sockets.New(relay.Hooks{})
	h, err := g.door.Hold(r.Context(), carried.id, live.Conn{
		Kind: live.WebSocket, Dialect: Name, Route: c.Name, Remote: c.facts.Remote, Recheck: carried.recheck,
		End: func(cause live.Cause) { sock.End(goodbye(cause.Code)) },
	})
	if err != nil {
		peer.Close()
		s.refuse(r, relay.PolicyEnded, "", asRefusal(err).Reason)
		return
	}
	sock.SetHooks(relay.Hooks{Pass: h.Pass, Received: h.Received, Sent: h.Sent, Closed: h.Close})
	early, _ := s.in.Peek(s.in.Buffered())
	sock.Join(s.conn, early, peer)
}

// offeredProtocol is the first subprotocol that a caller offers. The backend has
// not been asked yet, and a browser that offers some insists on one.
func offeredProtocol(h http.Header) string {
	for _, line := range h["Sec-Websocket-Protocol"] {
		for offer := range strings.SplitSeq(line, ",") {
			if offer = strings.TrimSpace(offer); offer != "" {
				return offer
			}
		}
	}
	return ""
}

// opened is a socket whose handshake the gate has answered by itself.
type opened struct {
	conn net.Conn
	in   *bufio.Reader
}

func answerHandshake(w http.ResponseWriter, r *http.Request, protocol string) (*opened, error) {
	u := ws.HTTPUpgrader{Timeout: firstMessageTime, Protocol: func(offer string) bool { return offer == protocol }}
	conn, buffered, _, err := u.Upgrade(r, w)
	if err != nil {
		if conn != nil {
			conn.Close()
		}
		return nil, err
	}
	return &opened{conn, buffered.Reader}, nil
}

var errFirstMessage = errors.New("not a text message of that length")

// read waits for the first message. Pings are answered meanwhile.
func (s *opened) read() ([]byte, error) {
	s.conn.SetDeadline(time.Now().Add(firstMessageTime))
	var text []byte
	for state, others := ws.StateServerSide, 0; ; {
		h, err := ws.ReadHeader(s.in)
		if err != nil {
			return nil, err
		}
		if err := ws.CheckHeader(h, state); err != nil || h.Length > int64(firstMessageBytes-len(text)) {
			return nil, errFirstMessage
		}
		part := make([]byte, h.Length)
		if _, err := io.ReadFull(s.in, part); err != nil {
			return nil, err
		}
		ws.Cipher(part, h.Mask, 0)
		if h.OpCode.IsControl() {
			if others++; others > firstMessageOther || h.OpCode == ws.OpClose {
				return nil, errFirstMessage
			}
			if h.OpCode == ws.OpPing {
				if err := ws.WriteFrame(s.conn, ws.NewPongFrame(part)); err != nil {
					return nil, err
				}
			}
			continue
		}
		if h.OpCode == ws.OpBinary {
			return nil, errFirstMessage
		}
		if text = append(text, part...); h.Fin {
			if !utf8.Valid(text) {
				return nil, errFirstMessage
			}
			return text, nil
		}
		state = state.Set(ws.StateFragmented)
	}
}

// refuse ends the socket. The caller has a moment to answer, so that the close
// frame is not lost with what it was still sending (RFC 6455, section 7.1.1).
func (s *opened) refuse(r *http.Request, code relay.Code, reason, why string) {
	logging.From(r.Context()).Refused(why)
	s.conn.SetDeadline(time.Now().Add(2 * time.Second))
	if ws.WriteFrame(s.conn, ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusCode(code), reason))) == nil {
		io.CopyN(io.Discard, s.in, 64<<10)
	}
	s.conn.Close()
}
