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

func TestLogin(t *testing.T) {
	t.Parallel()
	c := newRig(t, Config{}).dial(t)
	c.say(t, `{"a":"fd1.session.login","rq":"login-1","rt":"tab","v":{"apikey":"shop","tz":-780,"localtime":"2026-1-5 9:3:7.8","geo":{"latitude":-36.85,"longitude":174.76,"accuracy":25,"altitude":null,"altitudeAccuracy":null}}}`)
	c.want(t, `{"r":"fd1.session.login","rp":"login-1","rt":"tab","data":{}}`)
}

// Before a login nothing is said, in words or in time.
func TestSilence(t *testing.T) {
	t.Parallel()
	for name, packet := range map[string]string{
		"WrongKey":     `{"a":"fd1.session.login","v":{"apikey":"wrong"}}`,
		"NoCredential": `{"a":"fd1.session.login","v":{"purpose":"debugscope"}}`,
		"Two":          `{"a":"fd1.session.login","v":{"apikey":"staff","token":"sale-7741"}}`,
		"Request":      ask,
		"NoPrefix":     `{"a":"session.login","v":{"apikey":"staff"}}`,
		"NotJSON":      `hello`,
		"TooLong":      `{"a":"` + strings.Repeat("x", loginReadLimit) + `"}`,
		"Ignore":       `{"a":"fd1.session.ignore","rq":1}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newRig(t, Config{}).dial(t)
			c.say(t, packet)
			c.silent(t)
			c.say(t, asStaff) // and it still may log in
			c.want(t, loginOK)
		})
	}
	t.Run("ThreeFailures", func(t *testing.T) {
		t.Parallel()
		c := newRig(t, Config{}).dial(t)
		start := time.Now()
		for range 3 {
			c.say(t, `{"a":"fd1.session.login","v":{"apikey":"wrong"}}`)
		}
		c.say(t, asStaff) // too late
		c.want(t, "close 1008")
		if took := time.Since(start); took < loginTimeout-time.Second {
			t.Errorf("closed after %v, which tells that the third was wrong", took)
		}
	})
	t.Run("Nothing", func(t *testing.T) {
		t.Parallel()
		c := newRig(t, Config{}).dial(t)
		c.want(t, "close 1008")
	})
}

func TestHello(t *testing.T) {
	t.Parallel()
	c := newRig(t, Config{Hello: true}).dial(t)
	c.want(t, "{}")
}

func TestRequests(t *testing.T) {
	t.Parallel()
	failed := func(action, rq string, code int, message string) string {
		if rq != "" {
			rq = `,"rp":` + rq
		}
		return fmt.Sprintf(`{"r":"%s"%s,"error":{"Code":%d,"Message":"%s","Severity":"Error"}}`, action, rq, code, message)
	}
	tests := map[string]struct{ login, say, want string }{
		"List":            {asStaff, `{"a":"fd1.products.list","rq":7,"rt":"t"}`, `{"r":"fd1.products.list","rp":7,"rt":"t","data":{"rows":[{"pid":1},{"pid":2}]}}`},
		"Object":          {asStaff, `{"a":"products.get","rq":"x"}`, `{"r":"fd1.products.get","rp":"x","data":{"ok":true}}`},
		"BackendError":    {asStaff, `{"a":"fd1.products.missing","rq":1}`, failed("fd1.products.missing", "1", 404, "no such product")},
		"BackendNotJSON":  {asStaff, `{"a":"fd1.products.html"}`, failed("fd1.products.html", "", 502, "the backend's answer is not JSON")},
		"BackendDown":     {asStaff, `{"a":"fd1.products.down"}`, failed("fd1.products.down", "", 502, "the backend could not be reached")},
		"Unknown":         {asStaff, `{"a":"fd1.nothing.here","rq":1}`, failed("fd1.nothing.here", "1", 404, "unknown endpoint")},
		"Diag":            {asStaff, `{"a":"fd1.diag.dump","rq":1}`, failed("fd1.diag.dump", "1", 404, "unknown endpoint")},
		"NotPermitted":    {asShop, `{"a":"fd1.sales.get_sale","k":"7741","rq":1}`, failed("fd1.sales.get_sale", "1", 403, "endpoint not permitted")},
		"TokenItsSale":    {asSale, `{"a":"fd1.sales.get_sale","k":"7741","rq":1}`, `{"r":"fd1.sales.get_sale","rp":1,"data":{"ok":true}}`},
		"TokenOther":      {asSale, `{"a":"fd1.sales.get_sale","k":"7742","rq":1}`, failed("fd1.sales.get_sale", "1", 403, "endpoint not permitted")},
		"TokenAnything":   {asSale, `{"a":"fd1.products.list","rq":1}`, failed("fd1.products.list", "1", 403, "endpoint not permitted")},
		"LongRequestID":   {asStaff, `{"a":"fd1.products.list","rq":"` + strings.Repeat("x", 200) + `"}`, failed("fd1.products.list", "", 400, "rq must be shorter than 200 characters")},
		"NotAPacket":      {asStaff, `[]`, `{"error":{"Code":400,"Message":"not an FD1 packet","Severity":"Error"}}`},
		"SetOption":       {asStaff, `{"a":"fd1.session.set_option","rq":1,"v":{"geo":{"latitude":1,"longitude":2,"accuracy":3}}}`, `{"r":"fd1.session.set_option","rp":1,"data":{}}`},
		"CancelOfNothing": {asStaff, `{"a":"fd1.session.cancel_request","rq":1,"k":"r"}`, `{"r":"fd1.session.cancel_request","rp":1,"data":{}}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newRig(t, Config{}).dial(t)
			c.say(t, tt.login)
			c.want(t, loginOK)
			// What needs no answer gets none; the next one does.
			c.say(t, `{"a":"fd1.session.ignore","v":{"pad":"x"},"rq":0}`, `{"a":"fd1.x.y","pt":"other","rq":0}`,
				`{"a":"fd1.session.set_option","v":{}}`, `{"a":"fd1.session.login","rq":9,"v":{"apikey":"wrong"}}`, tt.say)
			c.want(t, tt.want)
		})
	}
}

// What a backend gets is what was decided on.
func TestForwardedPacket(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{})
	r.ends.asked = make(chan string, 1)
	c := r.dial(t)
	c.say(t, asStaff, `{"a":"sales.get_sale","K":"7742","k":"7741","q":{"temp(>=)":-90},"rq":5,"rt":"t","mo":"chunk","zz":1}`)
	want := `POST /fd1/sales/get_sale {"a":"fd1.sales.get_sale","q":{"temp(>=)":-90},"k":"7741"} as cli_staff`
	if diff := cmp.Diff(want, <-r.ends.asked); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestChunks(t *testing.T) {
	t.Parallel()
	c := newRig(t, Config{}).dial(t)
	c.say(t, asStaff, `{"a":"fd1.products.many","rq":1,"mo":"chunk"}`)
	c.want(t, loginOK)
	rows := 0
	for n := 1; ; n++ {
		p := c.next()
		if !strings.HasPrefix(p, fmt.Sprintf(`{"r":"fd1.products.many","rp":1,"ch":%d,"data":{"rows":[`, n)) {
			t.Fatalf("chunk %d: %.100s", n, p)
		}
		rows += strings.Count(p, "pid")
		if strings.HasSuffix(p, `"last":true}}`) {
			break
		}
	}
	if rows != 1100 {
		t.Errorf("%d rows in all chunks, want 1100", rows)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	c := newRig(t, Config{}).dial(t)
	c.say(t, asStaff, `{"a":"fd1.slow.wait","rq":"r"}`, ask)
	c.want(t, loginOK, `{"r":"fd1.products.list","rp":1,"data":{"rows":[{"pid":1},{"pid":2}]}}`) // overtakes
	c.say(t, `{"a":"fd1.session.cancel_request","k":"r"}`)
	c.want(t, `{"r":"fd1.slow.wait","rp":"r","error":{"Code":502,"Message":"given up","Severity":"Error"}}`)
}

func TestLoginsAddScope(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{})
	c := r.dial(t)
	const sale = `{"a":"fd1.sales.get_sale","k":"7741","rq":2}`
	list := `{"r":"fd1.products.list","rp":1,"data":{"rows":[{"pid":1},{"pid":2}]}}`
	c.say(t, asShop, asSale, ask)
	c.want(t, loginOK, loginOK, list)
	c.say(t, sale)
	c.want(t, `{"r":"fd1.sales.get_sale","rp":2,"data":{"ok":true}}`)

	// One login is revoked: its scope goes, the socket stays.
	if n := <-r.door.revoke(1, "cre_sale-7741"); n != 1 {
		t.Errorf("the receipt counts %d, want 1", n)
	}
	c.say(t, sale)
	c.want(t, `{"r":"fd1.sales.get_sale","rp":2,"error":{"Code":403,"Message":"endpoint not permitted","Severity":"Error"}}`)
	c.say(t, ask)
	c.want(t, list)

	// The last one is revoked: the socket goes.
	closed := r.door.revoke(2, "cre_shop")
	c.want(t, "close 1008 credential no longer valid")
	c.Close()
	if n := <-closed; n != 1 {
		t.Errorf("the receipt counts %d, want 1", n)
	}
}

func TestThreadSessions(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{})
	c := r.dial(t)
	c.say(t, asShop, `{"a":"fd1.session.login","rt":"tab","v":{"apikey":"staff"}}`)
	c.want(t, loginOK, `{"r":"fd1.session.login","rt":"tab","data":{}}`)
	const denied = `"error":{"Code":403,"Message":"endpoint not permitted","Severity":"Error"}}`
	c.say(t, `{"a":"fd1.sales.get_sale","k":"1"}`)
	c.want(t, `{"r":"fd1.sales.get_sale",`+denied)
	c.say(t, `{"a":"fd1.sales.get_sale","k":"1","rt":"tab"}`)
	c.want(t, `{"r":"fd1.sales.get_sale","rt":"tab","data":{"ok":true}}`)
	<-r.door.revoke(1, "cre_staff")
	c.say(t, `{"a":"fd1.sales.get_sale","k":"1","rt":"tab"}`)
	c.want(t, `{"r":"fd1.sales.get_sale","rt":"tab",`+denied)
}

func TestAtMostEightLogins(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{})
	c := r.dial(t)
	for range maxLogins {
		c.say(t, asShop)
		c.want(t, loginOK)
	}
	c.say(t, asStaff)
	c.silent(t)
	if n := r.door.index.Len(); n != maxLogins {
		t.Errorf("%d logins are open, want %d", n, maxLogins)
	}
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	const ok = `{"r":"fd1.products.get","data":{"ok":true}}`
	failed := func(action string, code int, message string) string {
		return fmt.Sprintf(`{"r":"%s","error":{"Code":%d,"Message":"%s","Severity":"Error"}}`, action, code, message)
	}
	tests := map[string]struct {
		method, path, body string
		keys               []string // x-apikey, x-api-key
		status             int
		want               string
	}{
		"Post":         {"POST", "/fd1/products/get", `{"k":"1"}`, []string{"staff"}, 200, ok},
		"OtherHeader":  {"POST", "/fd1/products/get", `{}`, []string{"", "staff"}, 200, ok},
		"BothTheSame":  {"POST", "/fd1/products/get", `{}`, []string{"staff", "staff"}, 200, ok},
		"TwoKeys":      {"POST", "/fd1/products/get", `{}`, []string{"staff", "shop"}, 400, failed("fd1.products.get", 400, "two different keys in one request")},
		"NoKey":        {"POST", "/fd1/products/get", `{}`, nil, 401, failed("fd1.products.get", 401, "a valid key is needed")},
		"WrongKey":     {"POST", "/fd1/products/get", `{}`, []string{"wrong"}, 401, failed("fd1.products.get", 401, "a valid key is needed")},
		"UnknownNoKey": {"POST", "/fd1/no/such", `{}`, []string{"wrong"}, 401, failed("fd1.no.such", 401, "a valid key is needed")},
		"Unknown":      {"POST", "/fd1/no/such", `{}`, []string{"staff"}, 404, failed("fd1.no.such", 404, "unknown endpoint")},
		"Denied":       {"POST", "/fd1/sales/get_sale", `{"k":"1"}`, []string{"shop"}, 403, failed("fd1.sales.get_sale", 403, "endpoint not permitted")},
		"OtherAction":  {"POST", "/fd1/products/get", `{"a":"fd1.sales.get_sale"}`, []string{"staff"}, 400, failed("fd1.products.get", 400, "address and packet name different endpoints")},
		"NotJSON":      {"POST", "/fd1/products/get", `{`, []string{"staff"}, 400, failed("fd1.products.get", 400, "not an FD1 packet")},
		"Method":       {"PUT", "/fd1/products/get", ``, []string{"staff"}, 405, failed("fd1.products.get", 405, "send GET or POST")},
		"Get":          {"GET", "/fd1/products/get?_k=1&_qo=a,b&_v.table=x", "", []string{"staff"}, 200, ok},
		"GetTwice":     {"GET", "/fd1/products/get?_k=1&_k=2", "", []string{"staff"}, 400, failed("fd1.products.get", 400, "an argument is given twice or is not text")},
		"GetMember":    {"GET", "/fd1/products/get?_enc=x", "", []string{"staff"}, 400, failed("fd1.products.get", 400, "unknown packet member enc")},
		"Missing":      {"GET", "/fd1/products/missing", "", []string{"staff"}, 404, failed("fd1.products.missing", 404, "no such product")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, Config{})
			req, err := http.NewRequest(tt.method, "http://"+r.host+tt.path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			for i, name := range []string{"x-apikey", "x-api-key"} {
				if i < len(tt.keys) && tt.keys[i] != "" {
					req.Header.Set(name, tt.keys[i])
				}
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, _ := io.ReadAll(res.Body)
			if res.StatusCode != tt.status || string(body) != tt.want {
				t.Errorf("got %d %s\nwant %d %s", res.StatusCode, body, tt.status, tt.want)
			}
		})
	}
}

func TestQueryMapping(t *testing.T) {
	t.Parallel()
	p, err := fromQuery("_v.table=products&_qo=a,b&_k=7&name=x%5B0%5D&_rq=9")
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.encode()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"q":{"name":"x[0]"},"qo":"a,b","k":"7","v":{"table":"products"},"rq":"9"}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, bad := range []string{"_v=1&_v.x=2", "_q.=1", "a=1&_q.a=2", "%zz", "_a=fd1.x.y"} {
		if p, err := fromQuery(bad); err == nil {
			t.Errorf("%s is read as %+v", bad, p)
		}
	}
}

func FuzzQuery(f *testing.F) {
	f.Add("_v.table=products&_qo=a,b&_k=7&name=x")
	f.Fuzz(func(t *testing.T, query string) {
		p, err := fromQuery(query)
		if err != nil {
			return
		}
		if _, err := p.encode(); err != nil {
			t.Errorf("%q cannot be passed on: %v", query, err)
		}
	})
}
