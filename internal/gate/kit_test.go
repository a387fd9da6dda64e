package gate_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"gatehouse.dev/gateidentity"
	"gatehouse.dev/internal/admintest"
	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/bus/inproc"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/feed"
	"gatehouse.dev/internal/feedapi"
	"gatehouse.dev/internal/gate"
	"gatehouse.dev/internal/gateway"
	"gatehouse.dev/internal/gateway/forwarded"
	"gatehouse.dev/internal/gateway/relay"
	"gatehouse.dev/internal/gateway/upstream"
	"gatehouse.dev/internal/logging"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/socket"
)

// rules give the tests two roles.
var rules = policy.Part{
	Name:  "test",
	Roles: []policy.Role{{Name: "test/reader"}, {Name: "test/writer", Includes: []string{"test/reader"}}},
	Cedar: `
@id("test/site")
permit (principal in Role::"test/reader", action == Action::"site:read", resource is Site)
when { resource != Site::"secret" };
`,
}

// site is a gate with a backend, on a real installation.
type site struct {
	*admintest.Installation
	t       testing.TB
	url     string
	addr    string
	backend *backend
	gateway *gateway.Gateway
	feeds   *feed.Hub
	wheel   *socket.Wheel
}

// options are what tests change.
type options struct {
	routes  []gateway.Route
	tenants func(s *site) []gate.Tenant // nil: the default tenant, on any host
	trust   forwarded.Trust
	proxies forwarded.Trust
	long    time.Duration
	// patience is for publishers
	patience time.Duration
	sockets  relay.Options
	tls      bool
	door     func(*site, gateway.Door) gateway.Door // nil: the door itself
	handler  http.Handler                           // of the backend; nil: one that tells what it got
}

const issuer = "https://gate.test/identity"

func newSite(t testing.TB, o options) *site {
	t.Helper()
	s := &site{Installation: admintest.New(t, rules, feedapi.Rules), t: t, wheel: socket.NewWheel()}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go s.wheel.Run(ctx)

	front := httptest.NewUnstartedServer(nil)
	s.addr = front.Listener.Addr().String()
	s.backend = newBackend(t, "http://"+s.addr, o.handler)
	pool, err := upstream.New(upstream.Config{Name: "backend", Addresses: []string{s.backend.URL}, Logger: slog.New(slog.DiscardHandler)})
	s.must(err)
	for i := range o.routes {
		if o.routes[i].Tenant == "" {
			o.routes[i].Tenant = "default"
		}
		if o.routes[i].Upstream == nil {
			o.routes[i].Upstream = &gateway.Upstream{Pool: pool}
		}
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	door := s.Door.(gateway.Door)
	if o.door != nil {
		door = o.door(s, door)
	}
	s.gateway, err = gateway.New(gateway.Options{
		Routes: o.routes, Door: door, Signer: s.Signing, Log: s.Tail, Issuer: issuer, House: s.Default.ID,
		Wheel: s.wheel, LongAfter: o.long, Sockets: o.sockets, AuthProxies: o.proxies, Logger: log,
	})
	s.must(err)
	b := inproc.New(0)
	t.Cleanup(b.Close)
	s.feeds = feed.NewHub(feed.Options{Bus: b})
	go s.feeds.Run(ctx)
	publishing, err := feedapi.New(feedapi.Options{Door: s.Door.(feedapi.Door), Feeds: s.feeds, Patience: o.patience, Logger: log})
	s.must(err)
	tenants := []gate.Tenant{{Tenant: s.Default}}
	if o.tenants != nil {
		tenants = o.tenants(s)
	}
	g, err := gate.New(gate.Options{
		Tenants: tenants, Routes: o.routes, Gateway: s.gateway, Trust: o.trust, Keys: s.Signing, House: s.Default.ID,
		Store: s.Store, Log: s.Tail, Logger: log, Feeds: publishing.Serve,
	})
	s.must(err)
	front.Config.Handler = (&logging.Requests{Listener: "gate", Logger: slog.New(slog.DiscardHandler)}).Wrap(g)
	if o.tls {
		front.EnableHTTP2 = true
		front.StartTLS()
	} else {
		front.Start()
	}
	s.url = front.URL
	t.Cleanup(front.Close)
	t.Cleanup(front.CloseClientConnections)
	return s
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// backend verifies who calls, where anybody is said to, and tells what it got.
type backend struct {
	*httptest.Server
	mu   sync.Mutex
	hits int
}

type got struct {
	Method, URI, Host, Body string
	Header                  http.Header
	Identity                *gateidentity.Identity
}

func newBackend(t testing.TB, gateURL string, h http.Handler) *backend {
	t.Helper()
	verifier, err := gateidentity.New(gateidentity.Config{JWKSURL: gateURL + gate.PathIdentityKeys, Issuer: issuer, Audience: "backend"})
	if err != nil {
		t.Fatal(err)
	}
	b := &backend{}
	tell := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		g := got{Method: r.Method, URI: r.RequestURI, Host: r.Host, Header: r.Header, Body: string(body)}
		if r.Header.Get(gateidentity.Header) != "" {
			id, err := verifier.Request(r)
			if err != nil {
				http.Error(w, err.Error(), 500)
				return
			}
			g.Identity = &id
		}
		json.NewEncoder(w).Encode(g)
	})
	if h == nil {
		h = tell
	}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		b.hits++
		b.mu.Unlock()
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(b.Close)
	t.Cleanup(b.CloseClientConnections)
	return b
}

func (b *backend) requests() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.hits
}

// ask sends one request and reads what the backend got, where it got anything.
func (s *site) ask(method, path string, h http.Header) (*http.Response, got) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, nil)
	s.must(err)
	if h != nil {
		req.Header = h
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	s.must(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	s.must(err)
	var g got
	if res.StatusCode == 200 && json.Unmarshal(body, &g) != nil {
		s.t.Fatalf("%s %s: %s", method, path, body)
	}
	return res, g
}

// raw sends bytes and reads one answer.
func (s *site) raw(text string) *http.Response {
	s.t.Helper()
	c, err := net.Dial("tcp", s.addr)
	s.must(err)
	s.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(c, text)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	s.must(err)
	return res
}

// caller is a user with an API key.
type caller struct {
	principal.Principal
	credential.Issued
}

func (c caller) key() http.Header { return http.Header{"X-Api-Key": {c.Text.Reveal()}} }

func (s *site) caller(name string, roles ...string) caller {
	s.t.Helper()
	p := s.User(s.Default, name, roles...)
	return caller{p, s.Key(p)}
}

// revoke revokes a credential and waits until this node has applied that.
func (s *site) revoke(c caller) (closed int, took time.Duration) {
	s.t.Helper()
	start := time.Now()
	change, err := s.Credentials.Revoke(s.t.Context(), audit.By{}, c.Credential)
	s.must(err)
	out := s.Tail.Await(s.t.Context(), change)
	for _, n := range out.Nodes {
		closed += n.SocketsClosed
	}
	return closed, time.Since(start)
}

func (s *site) dial(path string, h http.Header) (*websocket.Conn, *http.Response, error) {
	c, res, err := websocket.Dial(s.t.Context(), s.url+path, &websocket.DialOptions{HTTPHeader: h})
	if err == nil {
		s.t.Cleanup(func() { c.CloseNow() })
	}
	return c, res, err
}

// waitFor waits until done.
func waitFor(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain for " + what)
		}
	}
}

var loopback = forwarded.Trust{Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}

// decode reads what the backend got from an answer.
func decode(t testing.TB, res *http.Response, g *got) {
	t.Helper()
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(g); err != nil || res.StatusCode != 200 {
		t.Fatalf("%s: %v", res.Status, err)
	}
}

// limitTo lets a credential be used from one network only.
func limitTo(s *site, c caller, network string) {
	s.t.Helper()
	change, err := s.Credentials.SetConstraints(s.t.Context(), audit.By{}, c.Credential, credential.Constraints{Networks: []netip.Prefix{netip.MustParsePrefix(network)}})
	s.must(err)
	s.Tail.Await(s.t.Context(), change)
}
