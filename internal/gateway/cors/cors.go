// Package cors tells browsers which pages of other origins may use a route (the
// Fetch standard, "CORS protocol"). The gate answers for its backends: it takes
// their own Access-Control headers off, so that there is one word on it.
//
// CORS protects people, not routes: it stops a page from using its visitor's
// credential. Nothing here lets anybody in.
package cors

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Policy is what one route allows. The zero value allows nothing.
type Policy struct {
	Origins     []string // scheme://host; "*" means any, and then Credentials must be false
	Headers     []string // that a page may set
	Expose      []string // that a page may read
	Credentials bool
	MaxAge      time.Duration // how long a browser may remember a preflight
}

// Allows reports whether pages of origin may call.
func (p *Policy) Allows(origin string) bool {
	return p != nil && origin != "" && (slices.Contains(p.Origins, "*") || slices.Contains(p.Origins, origin))
}

// IsPreflight reports whether r only asks whether another request may be made,
// and the method of that one.
func IsPreflight(r *http.Request) (method string, ok bool) {
	if r.Method != http.MethodOptions || len(r.Header["Origin"]) != 1 {
		return "", false
	}
	asked := r.Header["Access-Control-Request-Method"]
	if len(asked) != 1 {
		return "", false
	}
	return asked[0], true
}

// Preflight answers for a route that takes methods. A page that may not call
// gets no permission, which is all that a browser needs to know.
func (p *Policy) Preflight(w http.ResponseWriter, r *http.Request, methods []string) {
	h := w.Header()
	h.Add("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
	if origin := r.Header.Get("Origin"); p.Allows(origin) {
		p.allow(h, origin)
		h.Set("Access-Control-Allow-Methods", strings.Join(methods, ", "))
		if len(p.Headers) > 0 {
			h.Set("Access-Control-Allow-Headers", strings.Join(p.Headers, ", "))
		}
		if p.MaxAge > 0 {
			h.Set("Access-Control-Max-Age", strconv.Itoa(int(p.MaxAge/time.Second)))
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// Amend puts the gate's word in place of the backend's in the headers of an
// answer to a request from origin, which may be empty.
func (p *Policy) Amend(h http.Header, origin string) {
	for name := range h {
		if strings.HasPrefix(name, "Access-Control-") {
			delete(h, name)
		}
	}
	if !slices.Contains(p.Origins, "*") || p.Credentials {
		if !slices.Contains(h["Vary"], "Origin") {
			h.Add("Vary", "Origin")
		}
	}
	if !p.Allows(origin) {
		return
	}
	p.allow(h, origin)
	if len(p.Expose) > 0 {
		h.Set("Access-Control-Expose-Headers", strings.Join(p.Expose, ", "))
	}
}

func (p *Policy) allow(h http.Header, origin string) {
	if p.Credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	} else if slices.Contains(p.Origins, "*") {
		origin = "*"
	}
	h.Set("Access-Control-Allow-Origin", origin)
}
