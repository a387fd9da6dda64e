package gateway

import (
	"net/http"
	"slices"
	"strings"

	"gatehouse.dev/internal/inbound"
)

// originFits keeps pages of other origins from using what a browser adds by
// itself (RFC 6455, section 10.2). Programs send no Origin. Pages of the socket's
// own origin may, those that CORS names for the route, and those that the tenant
// allows for all of its sockets.
func (c *call) originFits(r *http.Request) bool {
	origins := r.Header["Origin"]
	switch len(origins) {
	case 0:
		return true
	case 1:
		return c.origins.Allows(origins[0]) || slices.Contains(c.Origins, origins[0]) || sameOrigin(origins[0], c.facts)
	}
	return false
}

// sameOrigin compares scheme, host and port (RFC 6454, section 5). Neither the
// host without its port nor a page in clear beside a socket over TLS is the
// same.
func sameOrigin(origin string, facts *inbound.Facts) bool {
	scheme, host, ok := strings.Cut(origin, "://")
	scheme = strings.ToLower(scheme)
	return ok && host != "" && scheme == facts.Scheme && withoutUsualPort(scheme, host) == withoutUsualPort(facts.Scheme, facts.Authority)
}

func withoutUsualPort(scheme, host string) string {
	host = strings.ToLower(host)
	switch scheme {
	case "https":
		return strings.TrimSuffix(host, ":443")
	case "http":
		return strings.TrimSuffix(host, ":80")
	}
	return host
}
