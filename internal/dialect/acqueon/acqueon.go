package acqueon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/dialect"
	"gatehouse.dev/internal/fair"
	"gatehouse.dev/internal/feed"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/inbound"
	"gatehouse.dev/internal/live"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/socket"
)

// Name is what the dialect is called wherever dialects are told apart.
const Name = "acqueon"

// Config is what an operator may set. The zero value is the protocol
// description's default throughout.
type Config struct {
	// Feed has the reports; empty means "metrics".
	Feed string
	// Paths are the endpoints that are there, PathTransmitter, PathConsole or
	// both; empty means both.
	Paths []string
	// Scope is what an access token must have; empty: none.
	Scope string
	// MatchUser refuses access tokens of others than the user in the name.
	MatchUser bool
	// Prefixes are the accepted beginnings of connection names; empty means
	// PerformanceMetrics_ only.
	Prefixes []string
	// RawToken takes, on /AEDataTransmitter, a password that is no base64 as an
	// access token.
	RawToken bool
	// BeforeUpgrade refuses with an HTTP status. By default a refused client
	// gets its socket and then a close frame, as the vendor documents.
	BeforeUpgrade bool
	// NewestWins lets a new conn of the same name replace the old one. By
	// default the new one is refused.
	NewestWins bool
	// PlainText accepts ws:// from beyond a proxy that ends TLS, or in
	// development.
	PlainText bool
	// Origins are the web origins that may connect; empty means any. A request
	// without Origin is not from a page, and passes.
	Origins []string
	// Grace is how long a conn outlives its token.
	Grace time.Duration
}

// Times and bounds of a conn (protocol description, 5).
const (
	initTimeout  = 30 * time.Second
	pingEvery    = 5 * time.Second
	pingsMissed  = 3
	readLimit    = 64 << 10
	chatterLimit = 20 // messages of no meaning that a client may send in a minute
)

// Bounds of all conns together.
const (
	maxHeldBack = 4096 // refused conns that are kept silent for a while
)

// Door is the one way in; package authn has it.
type Door interface {
	Login(ctx context.Context, a authn.Attempt) (*identity.Identity, error)
	RenewAs(ctx context.Context, id *identity.Identity, remote netip.Addr, user string) (*identity.Identity, error)
	Allow(ctx context.Context, r policy.Request) error
	Hold(ctx context.Context, id *identity.Identity, c live.Conn) (*live.Handle, error)
}

// Feeds has the reports; package feed has them.
type Feeds interface {
	Feed(tenant, name string) (*feed.Feed, error)
}

// Server is the dialect with what it needs. All fields but Config and Names are
// required.
type Server struct {
	Config Config
	Door   Door
	Feeds  Feeds
	Names  Names // nil: names are unique on this node
	Wheel  *socket.Wheel
	Turns  *fair.Queue // in which handshakes are verified
	Logger *slog.Logger
}

// service is a Server that is ready.
type service struct {
	Server
	kind  *socket.Kind
	held  atomic.Int64 // refused conns that are kept silent
	pulse pulse
}

// New checks the configuration and makes the dialect. Run must run while it
// serves: it pushes the reports at their interval.
func New(s Server) (d dialect.Dialect, run func(context.Context), err error) {
	if slices.Contains(s.Config.Prefixes, "") {
		return d, nil, errors.New("acqueon: an empty name prefix would accept every name")
	}
	if len(s.Config.Paths) == 0 {
		s.Config.Paths = []string{PathTransmitter, PathConsole}
	}
	if s.Config.Feed == "" {
		s.Config.Feed = "metrics"
	}
	if s.Names == nil {
		s.Names = NewNames()
	}
	sv := &service{
		Server: s,
		kind: socket.NewKind(socket.Options{
			Wheel:       s.Wheel,
			ReadLimit:   readLimit,
			PingEvery:   pingEvery,
			PingsMissed: pingsMissed,
			NoBinary:    true,
		}),
	}
	sv.pulse.init()
	routes, err := routesOf(s.Config.Paths)
	return dialect.Dialect{Name: Name, Handler: sv, Routes: routes}, sv.pulse.run, err
}

// routesOf are the endpoints, each with the slash at its end that some clients
// write (protocol description, 3.4).
func routesOf(paths []string) (routes []dialect.Route, err error) {
	for _, p := range paths {
		r := dialect.Route{Path: p, WaysIn: []dialect.WayIn{dialect.BasicHeader, dialect.BasicName}}
		switch p {
		case PathTransmitter:
			r.Summary = "metrics socket; API key and secret, or access token, in base64"
		case PathConsole:
			r.Summary = "metrics socket; raw access token"
		default:
			return nil, fmt.Errorf("acqueon: %q is no endpoint", p)
		}
		routes = append(routes, r)
		r.Path, r.Summary = p+"/{$}", "the same, with a slash at its end"
		routes = append(routes, r)
	}
	return routes, nil
}

// ServeHTTP implements http.Handler.
func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	facts := inbound.From(r.Context())
	path := strings.TrimSuffix(r.URL.Path, "/")
	if facts == nil || !slices.Contains(s.Config.Paths, path) {
		http.NotFound(w, r)
		return
	}
	if status, problem := socket.Check(r); problem != "" {
		socket.Refuse(w, status, problem)
		return
	}
	// In a turn until the socket is open: ten thousand handshakes at once would
	// keep everybody else waiting, and none would be done sooner.
	leave, err := s.Turns.Enter(r.Context(), fair.Source(facts.Remote))
	if err != nil {
		tooBusy.write(w)
		return
	}
	defer leave()
	c := &conn{service: s, facts: facts, came: time.Now()}
	if err := c.admit(r, path); err != nil {
		c.refuse(w, r, refusalOf(err))
		return
	}
	c.open(w, r)
}
