package gate

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"gatehouse.dev/internal/dialect"
	"gatehouse.dev/internal/gateway"
	"gatehouse.dev/internal/gateway/forwarded"
	"gatehouse.dev/internal/gateway/problem"
	"gatehouse.dev/internal/id"
	"gatehouse.dev/internal/inbound"
	"gatehouse.dev/internal/logging"
	"gatehouse.dev/internal/tenant"
)

// writeTime is how long a caller may take to read an answer of a few bytes;
// streams move the deadline as they go.
const writeTime = time.Minute

// Tenant is one tenant at the gate.
type Tenant struct {
	Tenant   tenant.Tenant
	Hosts    []string // lower case; empty: all, where no tenant has any
	Dialects []dialect.Dialect
}

// Options are what a Gate is made of.
type Options struct {
	Tenants []Tenant
	Routes  []gateway.Route // those that Gateway was made of
	Gateway *gateway.Gateway
	Trust   forwarded.Trust
	Keys    Keys
	// Feeds takes what publishers send; nil: nobody does.
	Feeds  func(w http.ResponseWriter, r *http.Request, facts *inbound.Facts)
	House  string // id of the tenant under which the keys for identities stand
	Store  TenantStore
	Log    Log
	Logger *slog.Logger
	Now    func() time.Time
}

// Gate is the root handler of the listener for callers.
type Gate struct {
	o     Options
	hosts map[string]*house
	any   *house // nil where tenants have hosts
}

// house is what stands on the hosts of one tenant.
type house struct {
	resident *resident
	owners   owners
}

// New checks that every path has one owner.
func New(o Options) (*Gate, error) {
	if o.Gateway == nil || o.Keys == nil || o.Store == nil || o.Log == nil || len(o.Tenants) == 0 {
		return nil, errors.New("make gate: a part is missing")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	g := &Gate{o: o, hosts: make(map[string]*house)}
	for _, t := range o.Tenants {
		w, err := g.ownersOf(t, o.Routes)
		if err != nil {
			return nil, err
		}
		h := &house{newResident(&o, t.Tenant), w}
		for _, name := range t.Hosts {
			if g.hosts[name] != nil {
				return nil, fmt.Errorf("host %s belongs to two tenants", name)
			}
			g.hosts[name] = h
		}
		if len(t.Hosts) == 0 && (g.any == nil || t.Tenant.Name == tenant.Default) {
			g.any = h
		}
	}
	if len(g.hosts) > 0 {
		g.any = nil
	}
	return g, nil
}

// houseOf returns whose host it is, or nil.
func (g *Gate) houseOf(host string) *house {
	if g.any != nil {
		return g.any
	}
	return g.hosts[host]
}

// TenantOf implements gateway.Hosts.
func (g *Gate) TenantOf(r *http.Request, host string) (tenant.Tenant, bool) {
	h := g.houseOf(host)
	if h == nil {
		return tenant.Tenant{}, false
	}
	return h.resident.get(r.Context()), true
}

// ServeHTTP implements http.Handler.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	event := logging.From(r.Context())
	requestID := event.RequestID()
	if requestID == "" {
		requestID = id.Request()
	}
	from, err := g.o.Trust.Origin(r)
	if err != nil {
		event.Refused(err.Error())
		problem.Write(w, http.StatusBadRequest, err.Error(), requestID)
		return
	}
	facts := &inbound.Facts{
		Remote: from.Remote, Peer: from.Peer, Scheme: from.Scheme, Host: forwarded.HostName(from.Host), Authority: from.Host,
		RequestID: requestID,
	}
	if r.URL.Path == PathForwardAuth && g.o.Gateway.MayAsk(from.Peer) {
		// Whose request it is stands in the proxy's headers. The proxy may ask
		// for us by another name than its callers.
		event.Door("", facts.Remote)
		g.forwardAuth(w, r, facts)
		return
	}
	if r.ProtoMajor == 1 { // in HTTP/2 a deadline ends the stream even while nothing is written
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTime))
	}
	h := g.houseOf(facts.Host)
	if h == nil {
		event.Door("", from.Remote)
		event.Refused("unknown host")
		problem.Write(w, http.StatusMisdirectedRequest, "this host is not served here", requestID)
		return
	}
	facts.Tenant = h.resident.get(r.Context())
	event.Door(facts.Tenant.Name, facts.Remote)
	o, ok := h.owners.ownerOf(r)
	switch {
	case !ok:
		g.o.Gateway.Serve(w, r, facts)
	case o.dialect:
		event.Dialect(o.name[len("dialect "):])
		fallthrough
	default:
		o.serve(w, r, facts)
	}
}

func (g *Gate) forwardAuth(w http.ResponseWriter, r *http.Request, facts *inbound.Facts) {
	g.o.Gateway.ForwardAuth(w, r, facts, g)
}
