package fieldpine

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/go-json-experiment/json"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/inbound"
	"gatehouse.dev/internal/live"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/socket"
	"gatehouse.dev/internal/tenant"
	"gatehouse.dev/internal/ticket"
)

// Tickets makes and takes connection tickets (protocol description, 3.6);
// package ticket has them. nil: there are none.
type Tickets interface {
	Make(ctx context.Context, id *identity.Identity, opens, origin string, life time.Duration) (secret.Text, time.Time, error)
	Use(ctx context.Context, t tenant.Tenant, text secret.Text, opens, origin string) (*identity.Identity, error)
}

const (
	pathTicket      = "/fd1/session/create_ticket"
	actionTicket    = "fd1.session.create_ticket"
	ticketParameter = "ticket"
	ticketLife      = time.Minute
)

// createTicket makes a ticket for whoever shows a key. It is for pages of the
// origin that asks, or that v.origin names; a program that names none, such as
// the server behind a page, gets one that opens from anywhere.
func (s *service) createTicket(w http.ResponseWriter, r *http.Request, facts *inbound.Facts) {
	p := packet{Action: actionTicket}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		refuse(w, p, http.StatusMethodNotAllowed, "send POST")
		return
	}
	if r.ContentLength != 0 {
		body, status, err := readBody(w, r, s.Config.Limits.Packet)
		if err == nil && body.Action != "" && body.Action != actionTicket {
			status, err = http.StatusBadRequest, errors.New("address and packet name different endpoints")
		}
		if err != nil {
			refuse(w, p, status, err.Error())
			return
		}
		p = body
		p.Action = actionTicket
	}
	origin, ok := s.ticketOrigin(r, p)
	if !ok {
		refuse(w, p, http.StatusForbidden, "this origin may not connect")
		return
	}
	key, status, err := headerKey(r.Header)
	if err != nil {
		refuse(w, p, status, err.Error())
		return
	}
	id, err := s.Door.Login(r.Context(), authn.Attempt{
		Tenant: facts.Tenant, Dialect: Name, Method: identity.APIKey, Secret: key, Remote: facts.Remote, RequestID: facts.RequestID,
	})
	if err != nil {
		code, message, wait := verdict(err)
		retryAfter(w.Header(), wait)
		refuse(w, p, code, message)
		return
	}
	text, expires, err := s.Tickets.Make(r.Context(), id, Name, origin, ticketLife)
	if err != nil {
		s.Logger.Warn("fieldpine: cannot make a ticket", "error", err)
		refuse(w, p, http.StatusServiceUnavailable, "not available at the moment")
		return
	}
	result := p.answer()
	if result.Data, err = json.Marshal(struct {
		Ticket  string `json:"ticket"`
		Expires int64  `json:"expires"` // Unix seconds
	}{text.Reveal(), expires.Unix()}); err != nil {
		panic(err) // a text and a number
	}
	answer(w, http.StatusOK, result)
}

// ticketOrigin is whose pages the ticket is for.
func (s *service) ticketOrigin(r *http.Request, p packet) (string, bool) {
	var v struct {
		Origin string `json:"origin"`
	}
	if len(p.Values) > 0 && json.Unmarshal(p.Values, &v) != nil {
		return "", false
	}
	origin := v.Origin
	if asks := r.Header.Values("Origin"); len(asks) > 0 {
		if len(asks) > 1 || origin != "" && origin != asks[0] {
			return "", false
		}
		origin = asks[0]
	}
	if origin == "" {
		return ticket.AnyOrigin, true
	}
	u, err := url.Parse(origin)
	return origin, err == nil && u.Host != "" && s.originAllowed([]string{origin})
}

// redeem finds out who made the ticket of a handshake; nil without one. Its
// error is for the caller.
func (s *service) redeem(r *http.Request, facts *inbound.Facts) (_ *identity.Identity, status int, _ error) {
	query := r.URL.Query()
	if s.Tickets == nil || !query.Has(ticketParameter) {
		return nil, 0, nil
	}
	shown := query[ticketParameter]
	var id *identity.Identity
	err := error(&authn.Refusal{Kind: authn.Malformed, Reason: "several tickets"})
	if len(shown) == 1 {
		id, err = s.Tickets.Use(r.Context(), facts.Tenant, secret.New(shown[0]), Name, r.Header.Get("Origin"))
	}
	if err != nil {
		// Strangers who try tickets are held back as those who try keys.
		err = s.Door.Refused(r.Context(), authn.Attempt{
			Tenant: facts.Tenant, Dialect: Name, Method: methodTicket, Remote: facts.Remote, RequestID: facts.RequestID, Rationed: true,
		}, ticketRefusal(err))
	} else {
		id, err = s.Door.Resume(r.Context(), id, facts.Remote, facts.RequestID)
	}
	var refusal *authn.Refusal
	switch {
	case err == nil:
		return id, 0, nil
	case errors.As(err, &refusal) && refusal.Kind == authn.Throttled:
		return nil, http.StatusTooManyRequests, errors.New("too many refused logins")
	case refusal != nil && !refusal.Temporary():
		return nil, http.StatusForbidden, errTicket
	}
	return nil, http.StatusServiceUnavailable, errors.New("not available at the moment")
}

// methodTicket stands in the audit record for whatever a ticket's maker had shown.
const methodTicket identity.Method = "ticket"

func ticketRefusal(err error) *authn.Refusal {
	var refusal *authn.Refusal
	switch {
	case errors.As(err, &refusal):
		return refusal
	case errors.Is(err, ticket.ErrUnknown):
		return &authn.Refusal{Kind: authn.Invalid, Reason: err.Error()}
	}
	return &authn.Refusal{Kind: authn.Unavailable, Reason: "tickets cannot be read", Err: err}
}

var errTicket = errors.New("the ticket is not accepted")

// resume gives a new socket the session of its ticket's maker. Nothing is said
// about it. Later logins add to it.
func (c *conn) resume(id *identity.Identity) {
	l := &login{conn: c}
	l.identity.Store(id)
	var err error
	l.handle, err = c.Door.Hold(c.socket.Context(), id, live.Conn{
		Kind: live.WebSocket, Dialect: Name, Route: pathSocket, Remote: c.facts.Remote,
		End: l.end, Recheck: l.recheck, Queued: func() int { return c.socket.Stats().Queued },
	})
	if err == nil && !c.enter(l, options{}) {
		l.handle.Close()
		err = errTicket
	}
	if err != nil {
		c.socket.Close(socket.CodePolicy, "")
		return
	}
	c.joinPushes()
}
