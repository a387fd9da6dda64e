package gateway

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/gateway/canonical"
	"gatehouse.dev/internal/gateway/cors"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/inbound"
	"gatehouse.dev/internal/logging"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/tenant"
	"gatehouse.dev/internal/ticket"
)

// Tickets makes and takes tickets; package ticket has them.
type Tickets interface {
	Make(ctx context.Context, id *identity.Identity, opens, origin string, life time.Duration) (secret.Text, time.Time, error)
	Use(ctx context.Context, t tenant.Tenant, text secret.Text, opens, origin string) (*identity.Identity, error)
}

const (
	// ticketLife is time for one round trip and a slow page.
	ticketLife = 10 * time.Second
	// ticketParameter carries a ticket in the query of a handshake.
	ticketParameter = "ticket"
	// byTicket stands in an attempt for whatever its maker had shown.
	byTicket identity.Method = "ticket"
)

// opens names a route in tickets.
func (c *call) opens() string { return Name + "/" + c.Name }

// ServeTickets makes a ticket for the socket at ?path=, for pages of the origin
// that asks. The caller shows what the route accepts, in a header, and must be
// allowed to open the socket now.
func (g *Gateway) ServeTickets(w http.ResponseWriter, r *http.Request, facts *inbound.Facts) {
	c, preflight, ok := g.ticketCall(w, r, facts)
	if !ok {
		return
	}
	if preflight {
		c.origins.Preflight(w, r, []string{http.MethodPost})
		return
	}
	if c.origins != nil {
		c.origins.Amend(w.Header(), r.Header.Get("Origin"))
	}
	switch {
	case r.Method != http.MethodPost:
		notAllowed(w, r, facts, []string{http.MethodPost})
		return
	case !c.originFits(r):
		reject(w, r, facts, http.StatusForbidden, "pages of that origin may not open sockets here")
		return
	}
	// A proof is for the address that was called, which is this one.
	target := c.path
	c.path = canonical.Path{Escaped: r.URL.EscapedPath(), Decoded: r.URL.Path}
	id, err := g.admitFor(r, http.MethodPost, http.MethodGet, c, false)
	c.path = target
	if err != nil {
		c.refuse(w, r, facts, err)
		return
	}
	text, expires, err := g.tickets.Make(r.Context(), id, c.opens(), r.Header.Get("Origin"), ticketLife)
	if err != nil {
		c.refuse(w, r, facts, err)
		return
	}
	answerTicket(w, text, expires)
}

func answerTicket(w http.ResponseWriter, text secret.Text, expires time.Time) {
	body, err := json.Marshal(struct {
		Ticket  string `json:"ticket"`
		Expires string `json:"expires"`
	}{text.Reveal(), expires.UTC().Format(time.RFC3339Nano)})
	if err != nil {
		panic(err) // two texts
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h["Cache-Control"] = noStore
	w.WriteHeader(http.StatusCreated)
	w.Write(body)
}

// ticketCall finds the socket that a ticket is asked for. What takes no tickets
// is not there.
func (g *Gateway) ticketCall(w http.ResponseWriter, r *http.Request, facts *inbound.Facts) (_ *call, preflight, ok bool) {
	query, err := canonical.ParseQuery(r.URL.RawQuery)
	if err != nil {
		reject(w, r, facts, http.StatusBadRequest, err.Error())
		return nil, false, false
	}
	to, there, err := canonical.One(query, "path")
	if err != nil || !there {
		reject(w, r, facts, http.StatusBadRequest, "say which socket the ticket is for: ?path=")
		return nil, false, false
	}
	rawPath, rawQuery, _ := strings.Cut(to, "?")
	path, err := canonical.Parse(rawPath)
	if err == nil {
		query, err = canonical.ParseQuery(rawQuery)
	}
	if err != nil {
		reject(w, r, facts, http.StatusBadRequest, err.Error())
		return nil, false, false
	}
	_, preflight = cors.IsPreflight(r)
	m, _, found := g.table.find(facts.Tenant.Name, facts.Host, path.Escaped, http.MethodGet)
	if !found || !facts.Tenant.Enabled || !m.WebSocket || !m.accepts.ticket || path.Odd&^m.Allow != 0 || preflight && m.origins == nil {
		reject(w, r, facts, http.StatusNotFound, "no socket there takes tickets")
		return nil, false, false
	}
	event := logging.From(r.Context())
	event.Route(m.Name)
	// A key in the query is for those who cannot do better; who asks here can. A
	// ticket makes no other.
	for _, name := range []string{m.KeyQuery, ticketParameter} {
		if name != "" {
			query = canonical.Without(query, name)
		}
	}
	return &call{match: m, facts: facts, path: path, query: query}, preflight, true
}

// redeem believes whoever made a ticket.
func (g *Gateway) redeem(r *http.Request, c *call, text secret.Text) (*identity.Identity, error) {
	id, err := g.tickets.Use(r.Context(), c.facts.Tenant, text, c.opens(), r.Header.Get("Origin"))
	if refusal := ticketRefusal(err); refusal != nil {
		return nil, g.door.Refused(r.Context(), authn.Attempt{
			Tenant: c.facts.Tenant, Dialect: Name, Method: byTicket, Remote: c.facts.Remote, RequestID: c.facts.RequestID,
		}, refusal)
	}
	return g.door.Resume(r.Context(), id, c.facts.Remote, c.facts.RequestID)
}

// ticketRefusal says what a caller is told whose ticket could not be taken.
func ticketRefusal(err error) *authn.Refusal {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ticket.ErrUnknown):
		return &authn.Refusal{Kind: authn.Invalid, Reason: err.Error()}
	}
	return &authn.Refusal{Kind: authn.Unavailable, RetryAfter: 2 * time.Second, Reason: "tickets cannot be read", Err: err}
}
