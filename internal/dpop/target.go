package dpop

import (
	"net/url"
	"strings"

	"gatehouse.dev/internal/gateway/canonical"
)

// sameTarget compares the address of a proof with that of the request, after
// normalising both (RFC 9449, section 4.3, number 9; RFC 3986, section 6.2).
// Query and fragment do not count. A handshake is an HTTP request, but its
// program knows the address as ws:// or wss://, so these are taken, too.
func sameTarget(htu string, r Request) bool {
	u, err := url.Parse(htu)
	if err != nil || u.User != nil || u.Host == "" {
		return false
	}
	scheme := strings.ToLower(u.Scheme)
	switch scheme {
	case "ws":
		scheme = "http"
	case "wss":
		scheme = "https"
	}
	path, err := canonical.Parse("/" + strings.TrimPrefix(u.EscapedPath(), "/"))
	return err == nil && scheme == r.Scheme && hostOf(scheme, u.Host) == hostOf(r.Scheme, r.Host) && path.Escaped == r.Path
}

// hostOf leaves the usual port out.
func hostOf(scheme, host string) string {
	host = strings.ToLower(host)
	switch scheme {
	case "https":
		return strings.TrimSuffix(host, ":443")
	case "http":
		return strings.TrimSuffix(host, ":80")
	}
	return host
}
