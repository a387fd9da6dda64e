package gateway

import (
	"cmp"
	"errors"
	"net/http"
	"net/netip"
	"strings"

	"gatehouse.dev/gateidentity"
	"gatehouse.dev/internal/authn"
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
//
// The facts are those of the question. They become those of the request that it
// is about.
func (g *Gateway) ForwardAuth(w http.ResponseWriter, r *http.Request, facts *inbound.Facts, hosts Hosts) {
	if !g.MayAsk(facts.Peer) {
		reject(w, r, facts, http.StatusNotFound, "there is nothing here")
		return
	}
	if err := g.answerProxy(w, r, facts, hosts); err != nil {
		logging.From(r.Context()).Refused(err.Error())
		w.WriteHeader(http.StatusForbidden)
	}
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
// it. So one family must say it all, and where both say something they must say
// the same: otherwise a caller could lend a method to an nginx that was not told
// to send one, or have the host read from another place, which can mean another
// route and another tenant. X-Forwarded-Host alone is no family: many proxies
// pass it on.
func readOriginal(r *http.Request) (original, error) {
	nginx, err := readFamily(r.Header, "X-Original-Uri", "X-Original-Method", "")
	if err != nil {
		return original{}, err
	}
	others, err := readFamily(r.Header, "X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-Host")
	if err != nil {
		return original{}, err
	}
	o := nginx
	switch {
	case !nginx.there():
		o, o.verbatim = others, true
	case others.there() && (nginx.uri != others.uri || nginx.method != others.method ||
		others.host != "" && forwarded.HostName(others.host) != forwarded.HostName(r.Host)):
		return original{}, errTwoOriginals
	}
	o.host = cmp.Or(o.host, r.Host)
	if o.uri == "" || o.method == "" {
		return original{}, errNoOriginal
	}
	return o, nil
}

func (o *original) there() bool { return o.uri != "" || o.method != "" }

// readFamily reads three headers, each of which may be there once.
func readFamily(h http.Header, uri, method, host string) (o original, err error) {
	one := func(name string) string {
		values := h[name]
		if len(values) > 1 {
			err = errTwoOriginals
		}
		if len(values) == 0 {
			return ""
		}
		return values[0]
	}
	o.uri, o.method = one(uri), one(method)
	if o.there() {
		o.host = one(host)
	}
	return o, err
}

func (g *Gateway) answerProxy(w http.ResponseWriter, r *http.Request, facts *inbound.Facts, hosts Hosts) error {
	o, err := readOriginal(r)
	if err != nil {
		return err
	}
	if err := g.originalFacts(r, facts, o, hosts); err != nil {
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
	id, err := g.admit(r, o.method, c, false)
	if err != nil {
		g.refuseProxy(w, c, o, err)
		event.Refused(asRefusal(err).Reason)
		return nil
	}
	if id != nil {
		statement, _, err := g.state(r.Context(), id, c.Upstream.audience(), g.recheck(o.method, c, id))
		var refusal *authn.Refusal
		if errors.As(err, &refusal) {
			g.refuseProxy(w, c, o, refusal)
			event.Refused(refusal.Reason)
			return nil
		}
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

// originalFacts makes the facts those of the caller behind the proxy.
func (g *Gateway) originalFacts(r *http.Request, facts *inbound.Facts, o original, hosts Hosts) error {
	from, err := g.trust.Behind(forwarded.Origin{Peer: facts.Peer, Scheme: facts.Scheme}, r.Header)
	if err != nil {
		return err
	}
	// Its host is not asked for: it was read before, under stricter rules.
	facts.Remote, facts.Scheme = from.Remote, from.Scheme
	facts.Host, facts.Authority = forwarded.HostName(o.host), o.host
	var ok bool
	if facts.Tenant, ok = hosts.TenantOf(r, facts.Host); !ok {
		return errors.New("the original host is nobody's")
	}
	return nil
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
