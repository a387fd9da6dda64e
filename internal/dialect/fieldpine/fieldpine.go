package fieldpine

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/dialect"
	"gatehouse.dev/internal/fair"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/inbound"
	"gatehouse.dev/internal/live"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/socket"
)

// Name is what the dialect is called wherever dialects are told apart.
const Name = "fieldpine"

// Paths of the dialect. Everything else below prefix is an action.
const (
	prefix     = "/fd1/"
	pathSocket = "/fd1/open_websocket"
	pathAlias  = "/ws/open_websocket"
)

// Config is what an operator may set. The zero value is the protocol
// description's default throughout.
type Config struct {
	// Alias serves the socket at /ws/open_websocket too.
	Alias bool
	// Hello sends an empty packet after the upgrade, for very old clients.
	Hello bool
	// PlainText accepts ws:// and http:// from beyond a proxy that ends TLS, or
	// in development.
	PlainText bool
	// Origins are the web origins that may connect; empty means any: the
	// protocol has no cookies, so a page can use only what it was given.
	Origins []string
	// Outer is an Authorization header that every handshake must bring.
	Outer Outer
	// Limits are what one socket may ask for.
	Limits Limits
}

// Limits bound one socket, and one exchange with a backend. Zero fields take
// their defaults.
type Limits struct {
	Logins    int           // at a time: 8
	Firehoses int           // at a time: 16
	Requests  int           // under way at a time: 16
	Patience  time.Duration // with a backend: 60 s
	Packet    int           // bytes of a packet, after the login: 256 KiB
	Answer    int           // bytes of a backend's answer: 8 MiB
}

func (l Limits) orDefaults() Limits {
	return Limits{
		Logins: cmp.Or(l.Logins, maxLogins), Firehoses: cmp.Or(l.Firehoses, maxFirehoses), Requests: cmp.Or(l.Requests, maxConcurrent),
		Patience: cmp.Or(l.Patience, callTimeout), Packet: cmp.Or(l.Packet, readLimit), Answer: cmp.Or(l.Answer, maxAnswer),
	}
}

// Times and bounds of a conn (protocol description, 5).
const (
	loginTimeout   = 15 * time.Second
	loginReadLimit = 16 << 10
	maxFailures    = 3
	maxStrays      = 16 // packets before a login that are read, though they ask for something else
	maxLogins      = 8
	maxFirehoses   = 16
	pingEvery      = 30 * time.Second

	readLimit     = 256 << 10
	maxConcurrent = 16 // requests of one socket at once
	callTimeout   = 60 * time.Second
	maxAnswer     = 8 << 20
	maxSilent     = 16384 // sockets that have not logged in
)

// Door is the one way in; package authn has it.
type Door interface {
	Begin(ctx context.Context, a authn.Attempt) (salt [16]byte, err error)
	Login(ctx context.Context, a authn.Attempt) (*identity.Identity, error)
	Unwelcome(tenant string, remote netip.Addr) time.Duration
	Check(ctx context.Context, a authn.Attempt) (*identity.Identity, error)
	Renew(ctx context.Context, id *identity.Identity, remote netip.Addr) (*identity.Identity, error)
	Allow(ctx context.Context, r policy.Request) error
	Hold(ctx context.Context, id *identity.Identity, c live.Conn) (*live.Handle, error)
	Resume(ctx context.Context, id *identity.Identity, remote netip.Addr, requestID string) (*identity.Identity, error)
	Refused(ctx context.Context, a authn.Attempt, why *authn.Refusal) *authn.Refusal
}

// Endpoint is where an action goes.
type Endpoint struct {
	Upstream dialect.Upstream
	// Type is what the action is done to, a Cedar entity type such as "Sale";
	// its id is the record key, k. Empty: the endpoint itself, Fd1::"…".
	Type string
	// Key is where else the packet has the id: a member of v or q, such as
	// "v.sid". Empty: "k".
	Key string
}

// Endpoints finds the endpoint of an action, such as fd1.products.get_products.
type Endpoints interface {
	Endpoint(tenant, action string) (Endpoint, bool)
}

// Server is the dialect with what it needs. All fields but Config are required.
type Server struct {
	Config    Config
	Door      Door
	Endpoints Endpoints
	Wheel     *socket.Wheel
	Pushes    Pushes      // nil: backends have nothing to say
	Turns     *fair.Queue // in which logins are verified
	Tickets   Tickets     // nil: there are none
	Logger    *slog.Logger
}

// service is a Server that is ready.
type service struct {
	Server
	kind   *socket.Kind
	silent *fair.Places // sockets that have not logged in
}

// New makes the dialect.
func New(s Server) (dialect.Dialect, error) {
	if s.Door == nil || s.Endpoints == nil || s.Wheel == nil || s.Turns == nil || s.Logger == nil {
		return dialect.Dialect{}, errors.New("fieldpine: a part is missing")
	}
	s.Config.Limits = s.Config.Limits.orDefaults()
	sv := &service{
		Server: s,
		silent: fair.NewPlaces(maxSilent),
		kind:   socket.NewKind(socket.Options{Wheel: s.Wheel, ReadLimit: loginReadLimit, PingEvery: pingEvery}),
	}
	sockets := []string{pathSocket}
	if s.Config.Alias {
		sockets = append(sockets, pathAlias)
	}
	d := dialect.Dialect{Name: Name, Handler: sv}
	for _, path := range sockets {
		d.Routes = append(d.Routes, dialect.Route{Method: http.MethodGet, Path: path,
			Summary: "FD1 socket; the login is the first packet", WaysIn: sv.socketWays()})
	}
	if s.Tickets != nil {
		d.Routes = append(d.Routes, dialect.Route{Method: http.MethodPost, Path: pathTicket,
			Summary: "makes a one-shot ticket for a socket", WaysIn: []dialect.WayIn{dialect.HeaderKey}})
	}
	d.Routes = append(d.Routes, dialect.Route{Path: prefix,
		Summary: "one FD1 packet over HTTP (GET, POST)", WaysIn: []dialect.WayIn{dialect.HeaderKey}})
	return d, nil
}

// socketWays are the places for secrets in a handshake and after it.
func (s *service) socketWays() []dialect.WayIn {
	ways := []dialect.WayIn{dialect.FirstMessage}
	switch s.Config.Outer {
	case OuterBasic:
		ways = append(ways, dialect.BasicHeader, dialect.BasicName)
	case OuterBearer:
		ways = append(ways, dialect.BearerHeader)
	}
	if s.Tickets != nil {
		ways = append(ways, dialect.Ticket)
	}
	return ways
}

// ServeHTTP implements http.Handler.
func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	facts := inbound.From(r.Context())
	if facts == nil {
		http.NotFound(w, r)
		return
	}
	if facts.Scheme != "https" && !s.Config.PlainText {
		refuse(w, packet{}, http.StatusForbidden, "use TLS: this server takes no credentials in clear")
		return
	}
	switch path := r.URL.Path; {
	case path == pathSocket || path == pathAlias && s.Config.Alias:
		s.openSocket(w, r, facts)
	case path == pathTicket && s.Tickets != nil:
		s.createTicket(w, r, facts)
	case strings.HasPrefix(path, prefix):
		s.serveHTTP(w, r, facts)
	default:
		refuse(w, packet{}, http.StatusNotFound, "no such address")
	}
}
