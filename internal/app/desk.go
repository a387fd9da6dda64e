package app

import (
	_ "embed"
	"net/http"
	"strings"

	"gatehouse.dev/internal/adminapi"
	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/config"
	"gatehouse.dev/internal/gateway/forwarded"
	"gatehouse.dev/internal/inbound"
	"gatehouse.dev/internal/journal"
	"gatehouse.dev/internal/logging"
	"gatehouse.dev/internal/tenant"
)

//go:embed landing.html
var landingPage []byte

// desk is what stands on the listener for people: the admin API, and a page that
// says where one is.
type desk struct {
	hosts map[config.Host]bool // empty: any
	trust forwarded.Trust
	home  tenant.Tenant
	api   http.Handler
}

// newAPI makes the admin API over what was put together.
func newAPI(c *config.Config, s *State, k *core, link func(tenant string) string) http.Handler {
	switches := s.Methods()
	switches.Known = knownMethods()
	return adminapi.New(adminapi.Config{
		Door:        k.door,
		Tenants:     s.Tenants(),
		Methods:     switches,
		Principals:  s.Principals(k.policies),
		Credentials: s.Credentials(),
		Rules:       k.policies,
		Policies:    s.Store,
		Keys:        k.keys,
		JWTs:        k.foreign,
		Opaques:     k.foreign,
		Tokens:      s.Store,
		Conns:       k.live,
		Pushes:      k.pushes,
		Changes:     k.tail,
		Revocations: s.Store,
		Audit:       s.Store,
		Recorder:    k.recorder,
		Signer:      s.Keeper,
		KnownHeads:  func() ([]audit.Head, error) { return journal.Heads(JournalDir(c.DataDir)) },
		Scribe:      s.Scribe,
		Links:       link,
		Unavailable: unavailable,
		Log:         k.logger,
	})
}

// ServeHTTP implements http.Handler.
func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	event := logging.From(r.Context())
	origin, err := d.trust.Origin(r)
	if err != nil {
		event.Refused("a trusted proxy sent forwarding headers that cannot be read")
		http.Error(w, "the forwarding headers cannot be read", http.StatusBadRequest)
		return
	}
	event.Door("", origin.Remote)
	host := hostOf(origin.Host)
	if len(d.hosts) > 0 && !d.hosts[host] {
		// RFC 9110 section 15.5.20. A page of another site that reaches this address
		// by a name of its own ends here.
		event.Refused("unknown host")
		http.Error(w, "this is not the host you asked for", http.StatusMisdirectedRequest)
		return
	}
	r = r.WithContext(inbound.With(r.Context(), &inbound.Facts{
		Tenant: d.home, Remote: origin.Remote, Peer: origin.Peer, Scheme: origin.Scheme, Host: string(host),
		RequestID: event.RequestID(),
	}))
	switch {
	case strings.HasPrefix(r.URL.Path, adminapi.Base+"/"):
		event.Route("admin")
		d.api.ServeHTTP(w, r)
	case r.URL.Path == "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		event.Route("landing")
		landing(w)
	default:
		http.NotFound(w, r)
	}
}

func landing(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write(landingPage)
}

// hostOf is the name in a Host header, without port and in lower case.
func hostOf(header string) config.Host {
	name := header
	if i := strings.LastIndexByte(name, ':'); i >= 0 && !strings.HasSuffix(name, "]") {
		name = name[:i]
	}
	var h config.Host
	if h.UnmarshalText([]byte(strings.TrimSuffix(name, "."))) != nil {
		return ""
	}
	return h
}
