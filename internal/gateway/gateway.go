package gateway

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/dpop"
	"gatehouse.dev/internal/fair"
	"gatehouse.dev/internal/gateway/canonical"
	"gatehouse.dev/internal/gateway/cors"
	"gatehouse.dev/internal/gateway/forwarded"
	"gatehouse.dev/internal/gateway/relay"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/inbound"
	"gatehouse.dev/internal/live"
	"gatehouse.dev/internal/logging"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/socket"
	"gatehouse.dev/internal/throttle"
)

// Door is the one way in; package authn has it.
type Door interface {
	Check(ctx context.Context, a authn.Attempt) (*identity.Identity, error)
	Login(ctx context.Context, a authn.Attempt) (*identity.Identity, error)
	Allow(ctx context.Context, r policy.Request) error
	Limit(id *identity.Identity, route string, r throttle.Rate) error
	Hold(ctx context.Context, id *identity.Identity, c live.Conn) (*live.Handle, error)
	Stand(ctx context.Context, id *identity.Identity, recheck func(context.Context) (*identity.Identity, error)) (*identity.Identity, error)
	Renew(ctx context.Context, id *identity.Identity, remote netip.Addr) (*identity.Identity, error)
	Resume(ctx context.Context, id *identity.Identity, remote netip.Addr, requestID string) (*identity.Identity, error)
	Refused(ctx context.Context, a authn.Attempt, why *authn.Refusal) *authn.Refusal
}

// Options are what a Gateway is made of.
type Options struct {
	Routes []Route
	Door   Door
	Signer Signer
	Log    Log
	// Tickets may be nil where no route accepts any.
	Tickets Tickets
	// Issuer is the iss of statements to backends, from the configuration.
	Issuer string
	// House is the id of the tenant under which the keys for statements stand.
	House string
	Wheel *socket.Wheel // somebody must Run it

	// Stall is how long a caller may let either direction of an exchange wait,
	// LongAfter when an exchange counts as a conn; zero means a minute and a
	// second.
	Stall     time.Duration
	LongAfter time.Duration
	Sockets   relay.Options // their Wheel is the one above

	// AuthProxies may ask forward-auth. They are believed about where their
	// callers come from, in headers of AuthStyle.
	AuthProxies forwarded.Trust

	Logger *slog.Logger
	Now    func() time.Time
}

// Gateway serves the routes of all tenants.
type Gateway struct {
	*Forwarder
	table   *table
	trust   forwarded.Trust
	tickets Tickets
	proofs  dpop.Memory
	pending *fair.Places // sockets whose first message is waited for
}

// New checks the routes and makes a Gateway.
func New(o Options) (*Gateway, error) {
	if o.Door == nil || o.Signer == nil || o.Log == nil || o.Wheel == nil || o.Issuer == "" || o.House == "" {
		return nil, errors.New("make gateway: a part is missing")
	}
	t, err := newTable(o.Routes)
	if err != nil {
		return nil, err
	}
	if o.Tickets == nil && slices.ContainsFunc(o.Routes, func(r Route) bool { return slices.Contains(r.Credentials, Ticket) }) {
		return nil, errors.New("make gateway: a route accepts tickets, and nobody makes any")
	}
	return &Gateway{Forwarder: newForwarder(o), table: t, trust: o.AuthProxies, tickets: o.Tickets, pending: fair.NewPlaces(maxPending)}, nil
}

// Serve answers a request of which the listener has settled the facts.
func (g *Gateway) Serve(w http.ResponseWriter, r *http.Request, facts *inbound.Facts) {
	path, query, err := where(r)
	if err != nil {
		reject(w, r, facts, http.StatusBadRequest, err.Error())
		return
	}
	asked, preflight := cors.IsPreflight(r)
	m, methods, ok := g.table.find(facts.Tenant.Name, facts.Host, path.Escaped, cmp.Or(asked, r.Method))
	if preflight && (!ok || m.origins == nil) {
		// Nobody here answers preflights, so it is a request like any other, to
		// be decided as what it is and not as what it asks about.
		preflight = false
		m, methods, ok = g.table.find(facts.Tenant.Name, facts.Host, path.Escaped, r.Method)
	}
	switch {
	case !ok && methods != nil:
		notAllowed(w, r, facts, methods)
		return
	case !ok || !facts.Tenant.Enabled:
		reject(w, r, facts, http.StatusNotFound, "there is nothing here")
		return
	case path.Odd&^m.Allow != 0:
		reject(w, r, facts, http.StatusBadRequest, "the path has "+(path.Odd&^m.Allow).String()+", which can be read in two ways")
		return
	}
	event := logging.From(r.Context())
	event.Route(m.Name)
	event.Path(path.Escaped)
	if preflight {
		m.origins.Preflight(w, r, m.preflightMethods(asked))
		return
	}
	if m.origins != nil { // refusals can be read by the page, too
		m.origins.Amend(w.Header(), r.Header.Get("Origin"))
	}
	g.pass(w, r, &call{match: m, facts: facts, path: path, query: query})
}

func (m *match) preflightMethods(asked string) []string {
	if len(m.methods) == 0 {
		return []string{asked}
	}
	return m.methods
}

// where reads the request's path and query.
func where(r *http.Request) (canonical.Path, string, error) {
	path, err := canonical.Parse(r.URL.EscapedPath())
	if err != nil {
		return canonical.Path{}, "", err
	}
	query, err := canonical.ParseQuery(r.URL.RawQuery)
	return path, query, err
}

// call is one request on its way.
type call struct {
	match
	facts *inbound.Facts
	path  canonical.Path
	query string
}

// pass lets the caller in, or not, and the request through.
func (g *Gateway) pass(w http.ResponseWriter, r *http.Request, c *call) {
	if c.WebSocket {
		g.serveSocket(w, r, c)
		return
	}
	id, err := g.admit(r, r.Method, c, false)
	if err != nil {
		c.refuse(w, r, c.facts, err)
		return
	}
	query := c.query
	if c.KeyQuery != "" && !c.PassCredential {
		query = canonical.Without(query, c.KeyQuery)
	}
	to, err := c.forwarded(c.path, c.rest)
	if err != nil {
		reject(w, r, c.facts, http.StatusBadRequest, err.Error())
		return
	}
	g.carry(w, r, &carriage{
		facts: c.facts, route: c.Name, upstream: c.Upstream, rules: &c.rules,
		path: to, query: query, maxBody: c.MaxBody,
		id: id, recheck: g.recheck(r.Method, c, id), amend: c.amend(r),
	})
}

// amend returns what the route has to say about the answer's headers.
func (c *call) amend(r *http.Request) func(http.Header) {
	if c.origins == nil {
		return nil
	}
	origin := r.Header.Get("Origin")
	return func(h http.Header) { c.origins.Amend(h, origin) }
}

// admit finds out who calls and whether they may, opening something that lives
// long or not. It returns nil for a route that asks nobody.
func (g *Gateway) admit(r *http.Request, method string, c *call, opens bool) (*identity.Identity, error) {
	return g.admitFor(r, method, method, c, opens)
}

// admitFor is admit for a call with one method that asks for what another does.
func (g *Gateway) admitFor(r *http.Request, called, method string, c *call, opens bool) (*identity.Identity, error) {
	if c.accepts.none {
		return nil, nil
	}
	a, refusal := c.attempt(r, c.query, c.facts)
	if refusal != nil {
		return nil, refusal
	}
	proof, refusal := g.prove(r, called, c, &a)
	if refusal != nil {
		return nil, refusal
	}
	id, err := g.believe(r, c, a, opens)
	if err == nil {
		err = g.once(proof)
	}
	if err != nil {
		return nil, err
	}
	return id, g.let(r, method, c, id)
}

// believe finds out who shows this.
func (g *Gateway) believe(r *http.Request, c *call, a authn.Attempt, opens bool) (*identity.Identity, error) {
	switch {
	case a.Method == byTicket:
		return g.redeem(r, c, a.Secret)
	case opens:
		return g.door.Login(r.Context(), a)
	}
	return g.door.Check(r.Context(), a)
}

// let asks whether somebody who is known may, and as often as this.
func (g *Gateway) let(r *http.Request, method string, c *call, id *identity.Identity) error {
	logging.From(r.Context()).Caller(id.Principal, id.Credential, string(id.Method))
	if err := g.allow(r.Context(), method, c, id); err != nil {
		return err
	}
	if c.Limit.Limited() {
		// Each caller has the route's limit for itself.
		return g.door.Limit(id, c.Name+"/"+cmp.Or(id.Credential, id.Principal), c.Limit)
	}
	return nil
}

// allow asks policy about one call.
func (g *Gateway) allow(ctx context.Context, method string, c *call, id *identity.Identity) error {
	resource, err := c.policyResource(c.query)
	if err != nil {
		return malformedRequest(err)
	}
	return g.door.Allow(ctx, policy.Request{Identity: id, Action: c.action(method), Resource: resource, Source: c.facts.Remote})
}

// malformedRequest denies what policy cannot be asked about.
func malformedRequest(err error) error {
	return &authn.Refusal{Kind: authn.Denied, Reason: "no resource to decide about", Err: err}
}

// recheck returns the question that is asked again while the call lasts. It
// keeps no secret.
func (g *Gateway) recheck(method string, c *call, id *identity.Identity) func(context.Context) (*identity.Identity, error) {
	if id == nil {
		return nil
	}
	return func(ctx context.Context) (*identity.Identity, error) {
		now, err := g.door.Renew(ctx, id, c.facts.Remote)
		if err != nil {
			return nil, err
		}
		if err := g.allow(ctx, method, c, now); err != nil {
			return nil, err
		}
		return now, nil
	}
}
