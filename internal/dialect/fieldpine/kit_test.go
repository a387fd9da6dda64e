package fieldpine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/client/fieldpine/enc"
	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/bus/inproc"
	"gatehouse.dev/internal/dialect"
	"gatehouse.dev/internal/fair"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/inbound"
	"gatehouse.dev/internal/live"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/push"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/socket"
	"gatehouse.dev/internal/tenant"
)

// door believes the keys "staff" and "shop" and the token "sale-7741".
type door struct {
	index *live.Index
	// denied is an action that nobody may any more.
	denied atomic.Pointer[string]
	// unwelcome is how long the source has to wait, in nanoseconds.
	unwelcome atomic.Int64
	// allowing and holding, unless nil, are called while somebody waits for what
	// is decided about a credential.
	allowing, holding func(credential string)

	mu      sync.Mutex
	refused []string // what was recorded as refused
}

func (d *door) Login(_ context.Context, a authn.Attempt) (*identity.Identity, error) {
	shown := a.Secret.Reveal()
	known := a.Method == identity.APIKey && (shown == "staff" || shown == "staff-2" || shown == "ghk_staff" || shown == "shop") || a.Method == identity.ScopedToken && shown == "sale-7741"
	if a.Method == identity.Encryption {
		shown, known = "ana", a.Name == "ana@shop.example" && a.Prove(anaKey())
	}
	if !known {
		return nil, &authn.Refusal{Kind: authn.Invalid}
	}
	return &identity.Identity{
		Tenant: a.Tenant.ID, Principal: "cli_" + shown, Credential: "cre_" + shown,
		Grounds: []revocation.Ground{{Kind: revocation.Credential, ID: "cre_" + shown}},
	}, nil
}

func (d *door) Unwelcome(string, netip.Addr) time.Duration { return time.Duration(d.unwelcome.Load()) }

func (d *door) Begin(_ context.Context, a authn.Attempt) ([16]byte, error) {
	return enc.Salt([]byte("salt key"), a.Tenant.ID, a.Name), nil
}

// anaKey is K0 of ana@shop.example, whose secret is "ana's secret".
var anaKey = sync.OnceValue(func() secret.Key {
	k, err := enc.K0("ana's secret", enc.Salt([]byte("salt key"), "ten_1", "ana@shop.example"))
	if err != nil {
		panic(err)
	}
	return secret.NewKey(k)
})

func (d *door) Check(ctx context.Context, a authn.Attempt) (*identity.Identity, error) {
	return d.Login(ctx, a)
}

func (d *door) Renew(_ context.Context, id *identity.Identity, _ netip.Addr) (*identity.Identity, error) {
	return id, nil
}

func (d *door) Resume(_ context.Context, id *identity.Identity, _ netip.Addr, _ string) (*identity.Identity, error) {
	return id, nil
}

func (d *door) Refused(_ context.Context, a authn.Attempt, why *authn.Refusal) *authn.Refusal {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refused = append(d.refused, a.Dialect+"/"+string(a.Method)+": "+why.Reason)
	return why
}

func (d *door) Allow(_ context.Context, r policy.Request) error {
	ok := false
	if d.allowing != nil {
		d.allowing(r.Identity.Credential)
	}
	if denied := d.denied.Load(); denied != nil && *denied == r.Action {
		return &authn.Refusal{Kind: authn.Denied}
	}
	switch r.Identity.Credential {
	case "cre_staff", "cre_staff-2", "cre_ana":
		ok = true
	case "cre_shop":
		ok = strings.HasPrefix(r.Action, "fd1:products:") || strings.HasPrefix(r.Action, "fd1:slow:")
	case "cre_sale-7741":
		ok = r.Action == "fd1:sales:get_sale" && r.Resource.Type == "Sale" && r.Resource.ID == "7741"
	}
	if !ok {
		return &authn.Refusal{Kind: authn.Denied}
	}
	return nil
}

func (d *door) Hold(_ context.Context, id *identity.Identity, c live.Conn) (*live.Handle, error) {
	c.Identity = id
	h := d.index.Open(c)
	if d.holding != nil {
		d.holding(id.Credential)
	}
	return h, nil
}

func (d *door) revoke(n int64, credential string) <-chan int {
	closed := make(chan int, 1)
	d.index.Apply(revocation.Entry{N: n, Effect: revocation.End, Grounds: []revocation.Ground{{Kind: revocation.Credential, ID: credential}}},
		func(n int) { closed <- n })
	return closed
}

// always is a node that knows everything at once.
type always struct{}

func (always) Intact([]revocation.Ground, revocation.Position) bool { return true }
func (always) Age() time.Duration                                   { return 0 }
func (always) Lease() time.Duration                                 { return time.Minute }

// endpoints is a backend that tells what it was asked, and by whom.
type endpoints struct {
	asked chan string
	hold  chan struct{} // for fd1.slow.*
}

func (e *endpoints) Endpoint(_, action string) (Endpoint, bool) {
	switch {
	case strings.HasPrefix(action, "fd1.sales."):
		return Endpoint{Upstream: e, Type: "Sale"}, true
	case strings.HasPrefix(action, "fd1.products."), strings.HasPrefix(action, "fd1.slow."), strings.HasPrefix(action, "fd1.diag."):
		return Endpoint{Upstream: e}, true
	}
	return Endpoint{}, false
}

func (e *endpoints) Forward(w http.ResponseWriter, r *http.Request, f dialect.Forward) {
	body, _ := io.ReadAll(r.Body)
	if e.asked != nil {
		e.asked <- fmt.Sprintf("%s %s %s as %s", r.Method, r.URL.Path, body, f.Identity.Principal)
	}
	switch r.URL.Path {
	case "/fd1/products/list":
		io.WriteString(w, `[{"pid":1},{"pid":2}]`)
	case "/fd1/products/many":
		rows := make([]string, 1100)
		for i := range rows {
			rows[i] = fmt.Sprintf(`{"pid":%d}`, i)
		}
		io.WriteString(w, "["+strings.Join(rows, ",")+"]")
	case "/fd1/products/missing":
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, `{"title":"no such product"}`)
	case "/fd1/products/html":
		io.WriteString(w, "<p>")
	case "/fd1/products/down":
		f.Fail(http.StatusBadGateway, "the backend could not be reached")
	case "/fd1/slow/wait":
		select {
		case <-e.hold:
		case <-r.Context().Done():
			f.Fail(http.StatusBadGateway, "given up")
		}
	default:
		io.WriteString(w, `{"ok":true}`)
	}
}

type rig struct {
	host string
	door *door
	ends *endpoints
	hub  *push.Hub
	// joined, unless nil, is called when a login has made a socket one that
	// hears pushes.
	joined func()
	remote atomic.Pointer[netip.Addr] // of who dials
	served *service
}

// Join and Leave implement Pushes.
func (r *rig) Join(tenant string, c push.Receiver) {
	r.hub.Join(tenant, c)
	if r.joined != nil {
		r.joined()
	}
}

func (r *rig) Leave(tenant string, c push.Receiver) { r.hub.Leave(tenant, c) }

func newRig(t *testing.T, c Config) *rig {
	t.Helper()
	wheel := socket.NewWheel()
	go wheel.Run(t.Context())
	lines := inproc.New(0)
	t.Cleanup(lines.Close)
	r := &rig{
		door: &door{index: live.New(live.Options{})}, ends: &endpoints{hold: make(chan struct{})},
		hub: push.New(push.Options{Bus: lines, Node: "n"}),
	}
	r.door.index.Attach(always{})
	c.PlainText = true
	d, err := New(Server{Config: c, Door: r.door, Endpoints: r.ends, Wheel: wheel, Turns: fair.NewQueue(8, 64), Pushes: r, Tickets: newOffice(t), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	r.served = d.Handler.(*service)
	r.from("192.0.2.1")
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		facts := &inbound.Facts{Tenant: tenant.Tenant{ID: "ten_1"}, Remote: *r.remote.Load(), Scheme: "http", Host: "shop.example"}
		d.Handler.ServeHTTP(w, q.WithContext(inbound.With(q.Context(), facts)))
	}))
	t.Cleanup(h.Close)
	r.host = h.Listener.Addr().String()
	return r
}

type client struct {
	net.Conn
	r *bufio.Reader
}

// from says where those who dial come from.
func (r *rig) from(addr string) {
	a := netip.MustParseAddr(addr)
	r.remote.Store(&a)
}

func (r *rig) dial(t *testing.T) *client {
	t.Helper()
	c, status := r.knock(t)
	if c == nil {
		t.Fatalf("no socket: %d", status)
	}
	return c
}

// knock dials, and says how the handshake was answered.
func (r *rig) knock(t *testing.T) (*client, int) {
	t.Helper()
	conn, br, _, err := ws.Dial(t.Context(), "ws://"+r.host+pathSocket)
	var refused ws.StatusError
	if errors.As(err, &refused) {
		return nil, int(refused)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(25 * time.Second))
	return newClient(conn, br), http.StatusSwitchingProtocols
}

func newClient(conn net.Conn, early *bufio.Reader) *client {
	if early == nil {
		early = bufio.NewReader(conn)
	}
	return &client{conn, early}
}

func (c *client) say(t *testing.T, packets ...string) {
	t.Helper()
	for _, p := range packets {
		if err := wsutil.WriteClientText(c.Conn, []byte(p)); err != nil {
			t.Fatal(err)
		}
	}
}

type readWriter struct {
	io.Reader
	io.Writer
}

// next is the next packet, or "close CODE reason".
func (c *client) next() string {
	data, err := wsutil.ReadServerText(readWriter{c.r, c.Conn})
	var closed wsutil.ClosedError
	if errors.As(err, &closed) {
		return strings.TrimSpace(fmt.Sprintf("close %d %s", closed.Code, closed.Reason))
	}
	if err != nil {
		return "gone: " + err.Error()
	}
	return string(data)
}

func (c *client) want(t *testing.T, packets ...string) {
	t.Helper()
	for _, want := range packets {
		if diff := cmp.Diff(want, c.next()); diff != "" {
			t.Fatalf("packet (-want +got):\n%s", diff)
		}
	}
}

// silent checks that nothing comes for a while, not even a close.
func (c *client) silent(t *testing.T) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	if _, err := c.r.Peek(1); !errors.Is(err, context.DeadlineExceeded) && !isTimeout(err) {
		t.Fatalf("not silent: %v", err)
	}
	c.SetReadDeadline(time.Now().Add(25 * time.Second))
	c.r.Reset(c.Conn)
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

const (
	asStaff = `{"a":"fd1.session.login","v":{"apikey":"staff"}}`
	asShop  = `{"a":"fd1.session.login","v":{"apikey":"shop"}}`
	asSale  = `{"a":"fd1.session.login","v":{"token":"sale-7741"}}`
	loginOK = `{"r":"fd1.session.login","data":{}}`
	ask     = `{"a":"fd1.products.list","rq":1}`
)
