package gateway

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"

	"gatehouse.dev/gateidentity"
	"gatehouse.dev/internal/gateway/canonical"
	"gatehouse.dev/internal/gateway/forwarded"
	"gatehouse.dev/internal/inbound"
	"gatehouse.dev/internal/logging"
	"gatehouse.dev/internal/tenant"
)

// Hosts says whose a host name is; package gate has it.
type Hosts interface {
	TenantOf(r *http.Request, host string) (tenant.Tenant, bool)
}

// ForwardAuth answers other proxies that ask whether to let a request through:
// nginx (auth_request), Caddy (forward_auth), Traefik (ForwardAuth). The answer
// is 204, 401 or 403, without a body: nginx gives a connection up whose answer
// has one.
//
// The question is about the original request, so it can only come from proxies
// that say truthfully what that was. For everybody else the path does not
// exist.
func (g *Gateway) ForwardAuth(hosts Hosts) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		facts := inbound.From(r.Context())
		if facts == nil || !g.trust.Trusted(facts.Peer) {
			reject(w, r, facts, http.StatusNotFound, "there is nothing here")
			return
		}
		if err := g.answerProxy(w, r, facts, hosts); err != nil {
			logging.From(r.Context()).Refused(err.Error())
			w.WriteHeader(http.StatusForbidden)
		}
	})
}

// original is the request that a proxy asks about.
type original struct {
	method, uri, host string
	verbatim          bool // the proxy shows any status of ours to its caller
}

var (
	errNoOriginal   = errors.New("the proxy does not say which request it asks about")
	errTwoOriginals = errors.New("the proxy's headers contradict each other")
)

// readOriginal finds the request in the headers of either family:
//
//	nginx           X-Original-URI, X-Original-Method, and the Host of the question
//	Caddy, Traefik  X-Forwarded-Uri, -Method and -Host
//
// A proxy overwrites its own family and passes the other on as its caller sent
// it. So where both are there, they must agree, and the host is read from one
// place: nginx passes X-Forwarded-Host on unless told otherwise, and another
// host can mean another tenant.
func readOriginal(r *http.Request) (original, error) {
	one := func(names ...string) (v string, err error) {
		for _, name := range names {
			values := r.Header[name]
			switch {
			case len(values) == 0:
			case len(values) > 1 || v != "" && values[0] != v:
				return "", errTwoOriginals
			default:
				v = values[0]
			}
		}
		return v, nil
	}
	o := original{host: r.Host}
	var err error
	if o.uri, err = one("X-Original-Uri", "X-Forwarded-Uri"); err != nil {
		return o, err
	}
	if o.method, err = one("X-Original-Method", "X-Forwarded-Method"); err != nil {
		return o, err
	}
	if o.uri == "" || o.method == "" {
		return o, errNoOriginal
	}
	if len(r.Header["X-Original-Uri"]) == 0 {
		o.verbatim = true
		if o.host, err = one("X-Forwarded-Host"); err != nil {
			return o, err
		}
	}
	return o, nil
}

func (g *Gateway) answerProxy(w http.ResponseWriter, r *http.Request, asked *inbound.Facts, hosts Hosts) error {
	o, err := readOriginal(r)
	if err != nil {
		return err
	}
	facts, err := g.originalFacts(r, asked, o, hosts)
	if err != nil {
		return err
	}
	rawPath, rawQuery, _ := strings.Cut(o.uri, "?")
	path, err := canonical.Parse(rawPath)
	if err != nil {
		return err
	}
	query, err := canonical.ParseQuery(rawQuery)
	if err != nil {
		return err
	}
	m, _, ok := g.table.find(facts.Tenant.Name, facts.Host, path.Escaped, o.method)
	if !ok || !facts.Tenant.Enabled || path.Odd&^m.Allow != 0 {
		return errors.New("no route for the original request")
	}
	event := logging.From(r.Context())
	event.Route(m.Name)
	event.Path(path.Escaped)
	c := &call{match: m, facts: facts, path: path, query: query}
	id, err := g.admit(r, o.method, c, g.door.Check)
	if err != nil {
		g.refuseProxy(w, c, o, err)
		event.Refused(asRefusal(err).Reason)
		return nil
	}
	if id != nil {
		statement, err := g.statements.about(r.Context(), id, c.Upstream.audience())
		if err != nil {
			g.logger.WarnContext(r.Context(), "no identity for the upstream", "route", c.Name, "error", err)
			w.WriteHeader(http.StatusServiceUnavailable)
			return nil
		}
		w.Header()[gateidentity.Header] = statement
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// originalFacts are those of the caller behind the proxy.
func (g *Gateway) originalFacts(r *http.Request, asked *inbound.Facts, o original, hosts Hosts) (*inbound.Facts, error) {
	facts := *asked
	from, err := g.trust.Behind(forwarded.Origin{Peer: asked.Peer, Scheme: asked.Scheme}, r.Header)
	if err != nil {
		return nil, err
	}
	// Its host is not asked for: it was read above, under stricter rules.
	facts.Remote, facts.Scheme = from.Remote, from.Scheme
	var ok bool
	facts.Host = forwarded.HostName(o.host)
	if facts.Tenant, ok = hosts.TenantOf(r, facts.Host); !ok {
		return nil, errors.New("the original host is nobody's")
	}
	return &facts, nil
}

// refuseProxy answers in the statuses that the proxy understands. nginx makes
// 500 of any but 401 and 403; the others show them to their callers, who then
// learn that and how long to wait.
func (g *Gateway) refuseProxy(w http.ResponseWriter, c *call, o original, err error) {
	refusal := asRefusal(err)
	status := answerTo(refusal.Kind).status
	if status == http.StatusTooManyRequests && !o.verbatim {
		status = http.StatusForbidden
	}
	c.challenge(w.Header(), status, refusal)
	w.Header()["Cache-Control"] = noStore
	w.WriteHeader(status)
}

var noStore = []string{"no-store"}

// MayAsk reports whether a neighbour is a proxy that may ask.
func (g *Gateway) MayAsk(peer netip.Addr) bool { return g.trust.Trusted(peer) }
