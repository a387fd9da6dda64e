package gate

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"gatehouse.dev/internal/feedapi"
	"gatehouse.dev/internal/gateway"
	"gatehouse.dev/internal/gateway/canonical"
	"gatehouse.dev/internal/gateway/problem"
	"gatehouse.dev/internal/inbound"
)

// The gate's own paths.
const (
	PathForwardAuth  = "/-/forward-auth"
	PathTickets      = "/-/tickets"
	PathJWKS         = "/.well-known/jwks.json"
	PathIdentityKeys = "/.well-known/gatehouse-identity.json"
)

// reserved begins what no dialect and no route may own.
var reserved = []string{"/-/", PathJWKS, PathIdentityKeys}

// owner is who serves a path.
type owner struct {
	path    string // with a slash at the end: everything below, too
	name    string // for messages and logs
	dialect bool
	serve   func(w http.ResponseWriter, r *http.Request, facts *inbound.Facts)
}

// spoken is how a dialect is served: it finds the facts in the context.
func spoken(h http.Handler) func(http.ResponseWriter, *http.Request, *inbound.Facts) {
	return func(w http.ResponseWriter, r *http.Request, facts *inbound.Facts) {
		h.ServeHTTP(w, r.WithContext(inbound.With(r.Context(), facts)))
	}
}

// owners are those of one tenant, the longest path first. Routes are not among
// them: they have what is left.
type owners []owner

func (o owners) find(path string) (owner, bool) {
	for _, w := range o {
		if covers(w.path, path) {
			return w, true
		}
	}
	return owner{}, false
}

// covers reports whether a pattern takes a path.
func covers(pattern, path string) bool {
	if strings.HasSuffix(pattern, "/") {
		return strings.HasPrefix(path, pattern)
	}
	return path == pattern
}

// ownersOf collects the owners of one tenant's paths and refuses two for one.
func (g *Gate) ownersOf(t Tenant, routes []gateway.Route) (owners, error) {
	all := owners{
		{PathForwardAuth, "the gate", false, g.forwardAuth},
		{PathTickets, "the gate", false, g.o.Gateway.ServeTickets},
		{PathJWKS, "the gate", false, g.serveJWKS},
		{PathIdentityKeys, "the gate", false, g.serveIdentityKeys},
		{"/-/", "the gate", false, nothing},
	}
	if g.o.Feeds != nil {
		all = append(all, owner{feedapi.Prefix, "the gate", false, g.o.Feeds})
	}
	for _, d := range t.Dialects {
		for _, r := range d.Routes {
			w := owner{plain(r.Path), "dialect " + d.Name, true, spoken(d.Handler)}
			if other, taken := all.conflict(w); taken {
				return nil, fmt.Errorf("tenant %s: %s is owned by %s and %s", t.Tenant.Name, r.Path, other, w.name)
			}
			all = append(all, w)
		}
	}
	for _, r := range routes {
		if r.Tenant != t.Tenant.Name {
			continue
		}
		for _, own := range reserved {
			if covers(own, r.Path) {
				return nil, fmt.Errorf("tenant %s: %s of route %s is the gate's own", t.Tenant.Name, r.Path, r.Name)
			}
		}
		// A route may take all that nobody else has, but nothing of what a
		// dialect or the gate has.
		for _, w := range all {
			if w.path == r.Path || covers(w.path, strings.ReplaceAll(r.Path, "{", "")) {
				return nil, fmt.Errorf("tenant %s: %s is owned by %s and route %s", t.Tenant.Name, r.Path, w.name, r.Name)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b owner) int { return len(b.path) - len(a.path) })
	return all, nil
}

// nothing answers below the gate's own prefix, so that a route for everything
// does not get what is meant for the gate.
func nothing(w http.ResponseWriter, _ *http.Request, facts *inbound.Facts) {
	problem.Write(w, http.StatusNotFound, "there is nothing here", facts.RequestID)
}

// conflict finds another owner of what w wants. One dialect may name a path
// and what is below it on their own.
func (o owners) conflict(w owner) (string, bool) {
	for _, r := range reserved {
		if covers(r, w.path) {
			return "the gate", true
		}
	}
	for _, other := range o {
		if other.name != w.name && (covers(other.path, w.path) || covers(w.path, other.path)) {
			return other.name, true
		}
	}
	return "", false
}

// plain takes the method and wildcards of a ServeMux pattern away.
func plain(pattern string) string {
	if i := strings.Index(pattern, "/"); i > 0 {
		pattern = pattern[i:]
	}
	if i := strings.Index(pattern, "{"); i >= 0 {
		pattern = pattern[:i]
	}
	return pattern
}

// ownerOf finds who serves a request, by its canonical path or, where it has
// none, the dialect whose path it begins as.
func (o owners) ownerOf(r *http.Request) (owner, bool) {
	path, err := canonical.Parse(r.URL.EscapedPath())
	if err == nil {
		return o.find(path.Escaped)
	}
	w, ok := o.find(r.URL.Path)
	return w, ok && w.dialect
}
