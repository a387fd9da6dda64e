package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"gatehouse.dev/internal/gateway/canonical"
	"gatehouse.dev/internal/gateway/cors"
	"gatehouse.dev/internal/gateway/hygiene"
	"gatehouse.dev/internal/gateway/upstream"
	"gatehouse.dev/internal/throttle"
)

// Name is what the gateway is called wherever dialects are told apart: in
// attempts, identities and method switches.
const Name = "gateway"

// Upstream is a backend as routes see it.
type Upstream struct {
	Pool     *upstream.Pool
	Audience string // of the identities it gets; empty: the pool's name
	KeepHost bool   // it gets the caller's Host in place of its address
}

func (u *Upstream) audience() string {
	if u.Audience != "" {
		return u.Audience
	}
	return u.Pool.Name()
}

// Credential is a kind of credential that a route accepts.
type Credential string

// The kinds.
const (
	Bearer Credential = "bearer" // Authorization: Bearer with a JWT or an opaque token
	Key    Credential = "key"    // an API key in a header, or where allowed in the query
	Basic  Credential = "basic"  // Authorization: Basic with user and password, or key and secret
	None   Credential = "none"   // nobody is asked; alone
	// Ticket is a one-shot ticket in the query, for a socket. Its maker shows one of
	// the others.
	Ticket Credential = "ticket"
	// Message is a credential in the first message of a socket, where the handshake
	// shows none.
	Message Credential = "message"
)

// Route is one rule: what it matches, who may pass, where it leads.
type Route struct {
	Name   string
	Tenant string // name
	Host   string // lower case; empty: all of the tenant's

	// Path is matched on the canonical path. With a slash at the end it takes
	// everything below, otherwise exactly itself. A segment {name} takes any
	// one segment.
	Path    string
	Methods []string // empty: all; HEAD comes with GET
	// Allow are the odd parts of paths that the backend needs.
	Allow canonical.Oddity
	// Rewrite takes the place of Path in what is forwarded; empty: nothing does.
	Rewrite string

	Credentials []Credential
	KeyHeader   string // empty: X-API-Key
	KeyQuery    string // empty: no key in the query
	// FirstMessage says how that of a socket is read.
	FirstMessage FirstMessage
	// Origins are the web origins, besides its own, whose pages may open the socket.
	Origins []string

	// Roles may use the route without a word of policy; empty: policies decide.
	Roles []string
	// Action is what policy calls it; empty: "<name>:<method>" in lower case.
	Action string
	// ResourceType and ResourceID are what it is done to; empty: Route and the
	// name. In the ID, {name} stands for a segment of Path, {path} for what
	// follows Path, and {query.name} for a query parameter.
	ResourceType, ResourceID string

	Upstream       *Upstream
	WebSocket      bool
	PassCredential bool
	PassHeaders    []string      // see hygiene.Rules
	MaxBody        int64         // 0: no limit
	Limit          throttle.Rate // for each caller
	CORS           *cors.Policy
}

// route is a Route made ready.
type route struct {
	Route
	segments []segment
	subtree  bool
	rules    hygiene.Rules
	resource template
	accepts  struct{ bearer, proof, key, basic, none, ticket, message bool }
	actions  map[string]string // by method
	methods  []string          // for Allow; empty: all
	rewrite  string            // canonical
	origins  *cors.Policy
}

// segment of a pattern: text in canonical form, or a parameter.
type segment struct{ text, param string }

// compile checks a Route.
func compile(r Route) (*route, error) {
	c := &route{Route: r, origins: r.CORS}
	if err := c.path(); err != nil {
		return nil, fmt.Errorf("route %s: %w", r.Name, err)
	}
	if err := c.credentials(); err != nil {
		return nil, fmt.Errorf("route %s: %w", r.Name, err)
	}
	switch {
	case r.Name == "":
		return nil, errors.New("route without a name")
	case r.Upstream == nil || r.Upstream.Pool == nil:
		return nil, fmt.Errorf("route %s leads nowhere", r.Name)
	case r.WebSocket && len(r.Methods) > 0 && !slices.Equal(r.Methods, []string{http.MethodGet}):
		return nil, fmt.Errorf("route %s: a socket is opened with GET", r.Name)
	}
	if err := c.socketCredentials(); err != nil {
		return nil, fmt.Errorf("route %s: %w", r.Name, err)
	}
	c.accepts.proof = c.accepts.bearer
	c.Methods = slices.Clone(r.Methods)
	if r.WebSocket {
		c.Methods = []string{http.MethodGet}
	}
	c.methods = c.Methods
	if slices.Contains(c.methods, http.MethodGet) && !slices.Contains(c.methods, http.MethodHead) && !r.WebSocket {
		c.methods = append(slices.Clone(c.methods), http.MethodHead)
	}
	c.actions = make(map[string]string)
	for _, m := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		c.actions[m] = c.actionFor(m)
	}
	var err error
	if c.resource, err = parseTemplate(r.ResourceType, r.ResourceID, c.segments); err != nil {
		return nil, fmt.Errorf("route %s: %w", r.Name, err)
	}
	c.rules = hygiene.Rules{PassCredential: r.PassCredential}
	if c.accepts.proof {
		c.rules.Keys = []string{proofHeader}
	}
	if c.accepts.key {
		c.rules.Keys = append(c.rules.Keys, c.KeyHeader)
	}
	for _, name := range r.PassHeaders {
		c.rules.Pass = append(c.rules.Pass, http.CanonicalHeaderKey(name))
	}
	return c, nil
}

func (c *route) path() error {
	p, err := canonical.Parse(c.Path)
	if err != nil {
		return err
	}
	if p.Odd&^c.Allow != 0 {
		return fmt.Errorf("path %s has %v", c.Path, p.Odd)
	}
	c.subtree = strings.HasSuffix(c.Path, "/")
	for text := range strings.SplitSeq(strings.Trim(c.Path, "/"), "/") {
		if text == "" {
			continue // the root
		}
		if name, ok := strings.CutPrefix(text, "{"); ok && strings.HasSuffix(name, "}") && len(name) > 1 {
			c.segments = append(c.segments, segment{param: strings.TrimSuffix(name, "}")})
			continue
		}
		one, err := canonical.Parse("/" + text)
		if err != nil {
			return err
		}
		c.segments = append(c.segments, segment{text: one.Escaped[1:]})
	}
	if c.Rewrite == "" {
		return nil
	}
	to, err := canonical.Parse(c.Rewrite)
	if err != nil || to.Odd != 0 {
		return fmt.Errorf("rewrite %s is not a plain path", c.Rewrite)
	}
	if strings.HasSuffix(to.Escaped, "/") != c.subtree {
		return errors.New("path and rewrite must both end with a slash, or neither")
	}
	c.rewrite = to.Escaped
	return nil
}

func (c *route) credentials() error {
	for _, k := range c.Credentials {
		switch k {
		case Bearer:
			c.accepts.bearer = true
		case Key:
			c.accepts.key = true
		case Basic:
			c.accepts.basic = true
		case None:
			c.accepts.none = true
		case Ticket:
			c.accepts.ticket = true
		case Message:
			c.accepts.message = true
		default:
			return fmt.Errorf("unknown kind of credential %q", k)
		}
	}
	if len(c.Credentials) == 0 || c.accepts.none && len(c.Credentials) > 1 {
		return errors.New("name the credentials it accepts, or none alone")
	}
	if c.KeyHeader == "" {
		c.KeyHeader = DefaultKeyHeader
	}
	c.KeyHeader = http.CanonicalHeaderKey(c.KeyHeader)
	if c.KeyHeader == "Authorization" || c.KeyHeader == "Cookie" {
		return fmt.Errorf("an API key cannot travel in %s", c.KeyHeader)
	}
	return nil
}

// socketCredentials checks what only a socket can take.
func (c *route) socketCredentials() error {
	a := &c.accepts
	switch {
	case (a.ticket || a.message) && !c.WebSocket:
		return errors.New("tickets and first messages are for sockets")
	case a.ticket && !a.bearer && !a.basic && !a.key:
		return errors.New("whoever makes a ticket must show something else")
	case a.message && c.FirstMessage.As != Bearer && c.FirstMessage.As != Key:
		return errors.New("a first message carries a bearer token or a key")
	}
	return nil
}

func (c *route) takes(method string) bool {
	return len(c.methods) == 0 || slices.Contains(c.methods, method)
}

// action is what policy calls a request with that method.
func (c *route) action(method string) string {
	if a, ok := c.actions[method]; ok {
		return a
	}
	return c.actionFor(method)
}

func (c *route) actionFor(method string) string {
	if c.Action != "" {
		return c.Action
	}
	if method == http.MethodHead {
		method = http.MethodGet // the same, without the body
	}
	return c.Name + ":" + strings.ToLower(method)
}

// forwarded is the path that the backend gets for a matched one.
func (c *route) forwarded(p canonical.Path, rest string) (canonical.Path, error) {
	if c.rewrite == "" {
		return p, nil
	}
	return canonical.Parse(c.rewrite + rest)
}
