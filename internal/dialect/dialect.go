// Package dialect says what a wire protocol must tell about itself to live on
// the gate. Each dialect is a package below this one; it reads and writes one
// protocol and nothing else: it never sees a store and never compares a secret.
package dialect

import "net/http"

// Dialect is one protocol, ready to serve one or more tenants.
type Dialect struct {
	Name    string
	Routes  []Route      // every path it owns, for the table of URLs and its conflicts
	Handler http.Handler // its own mux; finds the tenant in the inbound facts
}

// Route is one path a dialect owns.
type Route struct {
	Method  string // "GET", "POST", or "" for any
	Path    string // net/http ServeMux pattern path: "/auth/token", "/v2.0/"
	Summary string // one line, for docs/urls.md
	// WaysIn are the places where a caller can put a secret on this path. The
	// canary test sends a marked secret through each.
	WaysIn []WayIn
}

// WayIn is one place for a secret.
type WayIn string

// The places.
const (
	BasicHeader  WayIn = "basic"         // Authorization: Basic, as password
	BasicName    WayIn = "basic-name"    // Authorization: Basic, as name
	BearerHeader WayIn = "bearer"        // Authorization: Bearer
	FormSecret   WayIn = "form-secret"   // client_secret in the body
	HeaderKey    WayIn = "header-key"    // an API key header
	QueryKey     WayIn = "query-key"     // an API key in the query
	JSONSecret   WayIn = "json-secret"   // a member of a JSON body
	FirstMessage WayIn = "first-message" // the first message of a socket
	Ticket       WayIn = "ticket"        // a one-shot ticket in the query
)
