package config

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"gatehouse.dev/internal/gateway/canonical"
)

// ownPaths are the gate's own; no route may stand on them.
var ownPaths = []string{"/-/", "/.well-known/"}

func (k *checker) routes() {
	names := map[string]int{}
	places := map[string]int{}
	for i, r := range k.config.Routes {
		field := fmt.Sprintf("routes[%d]", i)
		if r == nil {
			k.wrong(field, "write its settings, or take the dash away", "is empty")
			continue
		}
		if !goodName.MatchString(r.Name) {
			k.wrong(field+".name", nameMend, "%q is not a good name", r.Name)
		} else if first, taken := names[r.Name]; taken {
			k.wrong(field+".name", "give each route a name of its own", "%s is also routes[%d]", r.Name, first)
		}
		names[r.Name] = i
		k.route(field, r)

		// The same place twice with disjoint methods is two routes; otherwise the
		// second would never be reached.
		for _, m := range methodsOf(r) {
			place := strings.Join([]string{r.Tenant, string(r.Host), r.Path, m}, " ")
			if first, taken := places[place]; taken {
				k.wrong(field+".path", "take one of the two away, or let them differ in host, path or methods",
					"%s is already taken by routes[%d]", strings.TrimSpace(m+" "+r.Path), first)
				break
			}
			places[place] = i
		}
	}
}

func methodsOf(r *Route) []string {
	if len(r.Methods) == 0 {
		return []string{""}
	}
	return r.Methods
}

func (k *checker) route(field string, r *Route) {
	k.routePlace(field, r)
	k.routeCredentials(field, r)
	k.routeSocket(field, r)
	k.upstreamNamed(field+".upstream", r.Upstream)
	if r.Rewrite != "" && !strings.HasPrefix(r.Rewrite, "/") {
		k.wrong(field+".rewrite", "begin it with a slash", "%q is not a path", r.Rewrite)
	}
	if r.Rewrite != "" && strings.HasSuffix(r.Rewrite, "/") != strings.HasSuffix(r.Path, "/") {
		k.wrong(field+".rewrite", "end both with a slash, or neither", "and path must both take what is below them, or both not")
	}
	for i, part := range r.AllowPath {
		if _, err := canonical.ParseOddity(part); err != nil {
			k.wrong(fmt.Sprintf("%s.allow_path[%d]", field, i), "write '%2f', '%5c', '//', ';' or '%25'", "%q cannot be allowed", part)
		}
	}
	if r.WebSocket && len(r.Methods) > 0 && !slices.Equal(r.Methods, []string{"GET"}) {
		k.wrong(field+".methods", "leave methods out", "a socket begins with GET")
	}
	k.resource(field+".resource", r.Resource)
	k.cors(field+".cors", r.CORS)
}

var (
	goodMethod = regexp.MustCompile(`^[A-Z]+$`)
	cedarType  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(::[A-Za-z_][A-Za-z0-9_]*)*$`)
	goodHeader = regexp.MustCompile(`^[A-Za-z0-9-]+$`)
)

func (k *checker) routePlace(field string, r *Route) {
	t, known := k.config.Tenants[r.Tenant]
	if !known && !(r.Tenant == DefaultTenant && len(k.config.Tenants) == 0) {
		k.wrong(field+".tenant", nearest(r.Tenant, sortedKeys(k.config.Tenants)), "there is no tenant %s", r.Tenant)
	}
	if known && r.Host != "" && !slices.Contains(t.Hosts, r.Host) {
		k.wrong(field+".host", "name one of the tenant's hosts", "%s is not a host of tenant %s", r.Host, r.Tenant)
	}
	switch clean, err := url.Parse(r.Path); {
	case !strings.HasPrefix(r.Path, "/"):
		k.wrong(field+".path", "write it like /reports/ or /reports/today", "%q does not begin with a slash", r.Path)
	case err != nil || clean.Path != r.Path || strings.Contains(r.Path, "//") || strings.Contains(r.Path+"/", "/./") || strings.Contains(r.Path+"/", "/../"):
		k.wrong(field+".path", "write it plainly: no %, ?, #, //, . or ..", "%q is not in its canonical form", r.Path)
	}
	for _, own := range ownPaths {
		if strings.HasPrefix(r.Path, own) {
			k.wrong(field+".path", "choose another path", "everything below %s belongs to Gatehouse", own)
		}
	}
	for i, m := range r.Methods {
		if !goodMethod.MatchString(m) {
			k.wrong(fmt.Sprintf("%s.methods[%d]", field, i), "write it in capitals, like GET", "%q is not a method", m)
		}
	}
}

func (k *checker) routeCredentials(field string, r *Route) {
	if len(r.Credentials) == 0 {
		k.wrong(field+".credentials", "write for instance [bearer, key], or [none] for a public page",
			"is missing; what nobody protects must be said to be open")
	}
	if slices.Contains(r.Credentials, None) && len(r.Credentials) > 1 {
		k.wrong(field+".credentials", "write [none] alone, or take none away", "asks for a credential and for none")
	}
	if !goodHeader.MatchString(r.KeyHeader) {
		k.wrong(field+".key_header", "write a header name like X-API-Key", "%q is not a header name", r.KeyHeader)
	}
	if strings.EqualFold(r.KeyHeader, "Authorization") || strings.EqualFold(r.KeyHeader, "Cookie") {
		k.wrong(field+".key_header", "write a header of its own, like X-API-Key", "%s already means something else", r.KeyHeader)
	}
	if r.KeyQuery != "" && !slices.Contains(r.Credentials, Key) {
		k.wrong(field+".key_query", "add key to credentials, or take key_query away", "names a key that is not accepted")
	}
}

// routeSocket checks what only sockets can be opened with.
func (k *checker) routeSocket(field string, r *Route) {
	has := func(kinds ...CredentialKind) bool {
		return slices.ContainsFunc(kinds, func(kind CredentialKind) bool { return slices.Contains(r.Credentials, kind) })
	}
	if has(Ticket, Message) && !r.WebSocket {
		k.wrong(field+".credentials", "set websocket: true, or take ticket and message away", "has a kind that is for sockets")
	}
	if has(Ticket) && !has(Bearer, Key, Basic) {
		k.wrong(field+".credentials", "add bearer, key or basic", "accepts tickets that nobody could make")
	}
	if !has(Message) && r.FirstMessage.Member != "" {
		k.wrong(field+".first_message", "add message to credentials, or take it away", "describes a message that is not accepted")
	}
	if as := r.FirstMessage.As; as != Bearer && as != Key {
		k.wrong(field+".first_message.as", "write bearer or key", "%s cannot be in a message", as)
	}
}

func (k *checker) resource(field string, r Resource) {
	if r.Type != "" && !cedarType.MatchString(r.Type) {
		k.wrong(field+".type", "write a Cedar type like Report", "%q is not a type", r.Type)
	}
	if (r.Type == "") != (r.ID == "") {
		k.wrong(field, "write both type and id, or neither", "needs both")
	}
}

func (k *checker) cors(field string, c *CORS) {
	if c == nil {
		return
	}
	if len(c.Origins) == 0 {
		k.wrong(field+".origins", "write for instance [https://app.example.com]", "is empty")
	}
	for i, o := range c.Origins {
		at := fmt.Sprintf("%s.origins[%d]", field, i)
		if o == "*" {
			if c.Credentials {
				k.wrong(at, "name the origins one by one", "* with credentials would give every site its visitors' cookies")
			}
			continue
		}
		u, err := url.Parse(o)
		if err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.User != nil {
			k.wrong(at, "write scheme and host alone, like https://app.example.com", "%q is not an origin", o)
		}
	}
}
