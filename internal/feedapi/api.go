package feedapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/dialect"
	"gatehouse.dev/internal/fair"
	"gatehouse.dev/internal/feed"
	"gatehouse.dev/internal/gateway"
	"gatehouse.dev/internal/gateway/canonical"
	"gatehouse.dev/internal/gateway/problem"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/inbound"
	"gatehouse.dev/internal/live"
	"gatehouse.dev/internal/logging"
	"gatehouse.dev/internal/policy"
)

// Name is what publishing is called wherever dialects are told apart.
const Name = "feeds"

// Prefix begins its paths.
const Prefix = "/-/feeds/"

// Limits of publishing.
const (
	// DefaultPatience is how long a body, or one line of a stream, may take.
	DefaultPatience = time.Minute
	// maxStreams bounds the streams that are open on this node. One tenant may
	// have three quarters of them.
	maxStreams = 1024
)

// Door is the one way in; package authn has it.
type Door interface {
	Check(ctx context.Context, a authn.Attempt) (*identity.Identity, error)
	Login(ctx context.Context, a authn.Attempt) (*identity.Identity, error)
	Renew(ctx context.Context, id *identity.Identity, remote netip.Addr) (*identity.Identity, error)
	Allow(ctx context.Context, r policy.Request) error
	Hold(ctx context.Context, id *identity.Identity, c live.Conn) (*live.Handle, error)
}

// Feeds takes updates; *feed.Hub does.
type Feeds interface {
	Update(ctx context.Context, tenant, name string, u feed.Update) error
}

// Options are what an API is made of. Door and Feeds are needed.
type Options struct {
	Door     Door
	Feeds    Feeds
	Patience time.Duration // DefaultPatience
	Logger   *slog.Logger  // discards
}

// API is the handler of all paths below [Prefix].
type API struct {
	Options
	guard   *gateway.Guard
	streams *fair.Places // by tenant
}

// New makes an API.
func New(o Options) (*API, error) {
	if o.Door == nil || o.Feeds == nil {
		return nil, errors.New("make feed API: a part is missing")
	}
	if o.Patience <= 0 {
		o.Patience = DefaultPatience
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	guard, err := newGuard()
	if err != nil {
		return nil, err
	}
	return &API{Options: o, guard: guard, streams: fair.NewPlaces(maxStreams)}, nil
}

func newGuard() (*gateway.Guard, error) {
	return gateway.NewGuard(gateway.Key, gateway.Bearer, gateway.Basic)
}

// Routes lists the paths, for the table of URLs.
func Routes() []dialect.Route {
	guard, err := newGuard()
	if err != nil {
		panic(err) // three constants
	}
	const report = Prefix + "{feed}/reports/{report}"
	ways := guard.WaysIn()
	return []dialect.Route{
		{Method: http.MethodPut, Path: report, Summary: "publish a whole report ([feeds](feeds.md))", WaysIn: ways},
		{Method: http.MethodPatch, Path: report + "/rows/{key}", Summary: "publish one row", WaysIn: ways},
		{Method: http.MethodDelete, Path: report + "/rows/{key}", Summary: "remove one row", WaysIn: ways},
		{Method: http.MethodPost, Path: Prefix + "{feed}/updates", Summary: "publish a stream of updates, one a line", WaysIn: ways},
	}
}

// place is what a path below Prefix names.
type place struct {
	feed, report, key string
	kind              string // "report", "row", "updates"
}

// methods are those that a kind of place takes.
var methods = map[string][]string{
	"report":  {http.MethodPut},
	"row":     {http.MethodPatch, http.MethodDelete},
	"updates": {http.MethodPost},
}

// placeOf reads a path. Names in it are single segments, decoded.
func placeOf(path canonical.Path) (p place, ok bool) {
	var parts []string
	for part := range strings.SplitSeq(strings.TrimPrefix(path.Escaped, Prefix), "/") {
		name, err := url.PathUnescape(part)
		if err != nil || name == "" {
			return p, false
		}
		parts = append(parts, name)
	}
	switch {
	case len(parts) == 2 && parts[1] == "updates":
		return place{feed: parts[0], kind: "updates"}, true
	case len(parts) == 3 && parts[1] == "reports":
		return place{feed: parts[0], report: parts[2], kind: "report"}, true
	case len(parts) == 5 && parts[1] == "reports" && parts[3] == "rows":
		return place{feed: parts[0], report: parts[2], key: parts[4], kind: "row"}, true
	}
	return p, false
}

// Serve answers a request of which the listener has settled the facts.
func (a *API) Serve(w http.ResponseWriter, r *http.Request, facts *inbound.Facts) {
	path, err := canonical.Parse(r.URL.EscapedPath())
	if err == nil && path.Odd != 0 {
		err = errors.New("the path has " + path.Odd.String() + ", which can be read in two ways")
	}
	if err != nil {
		reject(w, r, facts, http.StatusBadRequest, err.Error())
		return
	}
	at, ok := placeOf(path)
	if !ok || !facts.Tenant.Enabled {
		reject(w, r, facts, http.StatusNotFound, "there is nothing here")
		return
	}
	logging.From(r.Context()).Route("feeds " + at.kind)
	takes := false
	for _, m := range methods[at.kind] {
		takes = takes || m == r.Method
	}
	if !takes {
		w.Header().Set("Allow", strings.Join(methods[at.kind], ", "))
		reject(w, r, facts, http.StatusMethodNotAllowed, "the method is not allowed here")
		return
	}
	p, err := a.admit(w, r, facts, at)
	if err != nil {
		a.guard.Refuse(w, r, facts, err)
		return
	}
	defer p.close()
	if at.kind == "updates" {
		a.serveStream(w, r, p)
		return
	}
	a.serveOne(w, r, p)
}

func reject(w http.ResponseWriter, r *http.Request, facts *inbound.Facts, status int, detail string) {
	logging.From(r.Context()).Refused(detail)
	problem.Write(w, status, detail, facts.RequestID)
}
