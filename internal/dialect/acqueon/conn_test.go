package acqueon

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/bus/inproc"
	"gatehouse.dev/internal/fair"
	"gatehouse.dev/internal/feed"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/inbound"
	"gatehouse.dev/internal/live"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/socket"
	"gatehouse.dev/internal/tenant"
)

// door believes one pair and one token; what is open is a real index.
type door struct {
	index   *live.Index
	expires time.Time
	denied  bool
	unheld  bool
}

func (d *door) RenewAs(_ context.Context, id *identity.Identity, _ netip.Addr, _ string) (*identity.Identity, error) {
	if d.denied {
		return nil, &authn.Refusal{Kind: authn.Invalid}
	}
	return id, nil
}

func (d *door) Login(_ context.Context, a authn.Attempt) (*identity.Identity, error) {
	id := &identity.Identity{
		Tenant: a.Tenant.ID, Principal: "cli_1", Name: "wallboard", Method: a.Method, Expires: d.expires,
		Grounds: []revocation.Ground{{Kind: revocation.Principal, ID: "cli_1"}},
	}
	switch {
	case a.Method == identity.KeyPair && a.Name == "ak" && a.Secret.Equal(secret.New("sk")):
		id.Credential = "cre_pair"
	case a.Method == identity.Opaque && a.Secret.Equal(secret.New("token")):
		id.Credential = "cre_token"
	case a.Secret.Equal(secret.New("too often")):
		return nil, &authn.Refusal{Kind: authn.Throttled, RetryAfter: 7 * time.Second}
	default:
		return nil, &authn.Refusal{Kind: authn.Invalid}
	}
	return id, nil
}

func (d *door) Allow(context.Context, policy.Request) error {
	if d.denied {
		return &authn.Refusal{Kind: authn.Denied}
	}
	return nil
}

func (d *door) Hold(_ context.Context, id *identity.Identity, c live.Conn) (*live.Handle, error) {
	if d.unheld {
		return nil, &authn.Refusal{Kind: authn.Invalid, Reason: "revoked meanwhile"}
	}
	c.Identity = id
	return d.index.Open(c), nil
}

// always is a node that knows everything at once.
type always struct{}

func (always) Intact([]revocation.Ground, revocation.Position) bool { return true }
func (always) Age() time.Duration                                   { return 0 }
func (always) Lease() time.Duration                                 { return time.Minute }

type rig struct {
	host string
	door *door
	hub  *feed.Hub
	sv   *service
}

func newRig(t *testing.T, c Config) *rig {
	t.Helper()
	bus := inproc.New(0)
	t.Cleanup(bus.Close)
	wheel := socket.NewWheel()
	go wheel.Run(t.Context())
	r := &rig{door: &door{index: live.New(live.Options{})}, hub: feed.NewHub(feed.Options{Bus: bus})}
	r.door.index.Attach(always{})
	c.PlainText = true
	d, run, err := New(Server{Config: c, Door: r.door, Feeds: r.hub, Wheel: wheel, Turns: fair.NewQueue(8, 64), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	go run(t.Context())
	r.sv = d.Handler.(*service)
	facts := &inbound.Facts{Tenant: tenant.Tenant{ID: "ten_1"}, Remote: netip.MustParseAddr("192.0.2.1"), Scheme: "http"}
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		d.Handler.ServeHTTP(w, q.WithContext(inbound.With(q.Context(), facts)))
	}))
	t.Cleanup(h.Close)
	r.host = h.Listener.Addr().String()
	return r
}

// client is a metrics client, message by message.
type client struct {
	net.Conn
	r    *bufio.Reader
	name string
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// dial opens a socket, or returns the answer that refused it.
func (r *rig) dial(t *testing.T, path, name, password string, header http.Header) (*client, *http.Response) {
	t.Helper()
	req, err := http.NewRequest("GET", "http://"+r.host+path+"?name="+url.QueryEscape(name), nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
	} {
		req.Header.Set(k, v)
	}
	if password != "" {
		req.SetBasicAuth(name, password)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	conn, err := net.Dial("tcp", r.host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	if err := req.Write(conn); err != nil {
		t.Fatal(err)
	}
	c := &client{conn, bufio.NewReader(conn), name}
	res, err := http.ReadResponse(c.r, req)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		return nil, res
	}
	return c, res
}

func (r *rig) mustDial(t *testing.T, path, name, password string) *client {
	t.Helper()
	c, res := r.dial(t, path, name, password, nil)
	if c == nil {
		body, _ := io.ReadAll(res.Body)
		t.Fatalf("refused with %s: %s", res.Status, body)
	}
	return c
}

type readWriter struct {
	io.Reader
	io.Writer
}

// next is the next message, or "close CODE reason".
func (c *client) next(t *testing.T) (Message, string) {
	t.Helper()
	data, err := wsutil.ReadServerText(readWriter{c.r, c.Conn})
	var closed wsutil.ClosedError
	if errors.As(err, &closed) {
		return Message{}, fmt.Sprintf("close %d %s", closed.Code, closed.Reason)
	}
	if err != nil {
		return Message{}, "gone: " + err.Error()
	}
	var m Message
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return m, ""
}

func (c *client) wantClose(t *testing.T, want string) {
	t.Helper()
	if m, got := c.next(t); got != want {
		t.Errorf("got %+v %q, want %q", m, got, want)
	}
}

func (c *client) say(t *testing.T, text string) {
	t.Helper()
	if err := wsutil.WriteClientText(c.Conn, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func (c *client) initialise(t *testing.T) {
	t.Helper()
	inner, _ := json.Marshal(map[string]any{"TimeZoneOffset": -330, "Sender": c.name})
	m, _ := json.Marshal(Message{Sender: c.name, Receiver: senderService, MessageType: typeInit, Data: string(inner)})
	c.say(t, string(m))
}

// wantMessages compares types and data of the next messages, in order.
func (c *client) wantMessages(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for range want {
		m, closed := c.next(t)
		if closed != "" {
			t.Fatalf("%s after %v", closed, got)
		}
		if m.Receiver != c.name {
			t.Errorf("receiver %q, want %q", m.Receiver, c.name)
		}
		if m.Time == "" {
			t.Errorf("%s has no time", m.MessageType)
		}
		got = append(got, m.MessageType+" "+m.Data)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

const reportList = `AEPerformanceMetricResponse [{"ReportName":"CampaignOverviewReport","Interval":10},{"ReportName":"AgentStatusSummaryReport","Interval":10},{"ReportName":"CallStatusSummaryReport","Interval":10},{"ReportName":"AgentStatusDetailReport","Interval":10},{"ReportName":"LineReport","Interval":10}]`

func (r *rig) publish(t *testing.T, us ...feed.Update) {
	t.Helper()
	for _, u := range us {
		if err := r.hub.Update(t.Context(), "ten_1", "metrics", u); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFormsAndReports(t *testing.T) {
	t.Parallel()
	for name, form := range map[string]struct{ path, name, password string }{
		"U1": {PathConsole, unstamped, "token"},
		"U2": {PathTransmitter, stamped, b64("token")},
		"U3": {PathTransmitter, stamped, b64("ak:sk")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, Config{})
			r.publish(t,
				feed.Update{Report: "AgentStatusSummaryReport", Kind: feed.Whole, Content: []byte(`[{"AgentState":"Idle","Inbound":1,"Outbound":2}]`)},
				feed.Update{Report: "LineReport", Kind: feed.Whole, KeyMember: "CallID", Content: []byte(`[{"CallID":"a"}]`)},
			)
			c := r.mustDial(t, form.path, form.name, form.password)
			m, _ := c.next(t)
			if m.MessageType != "OpenID" || m.Sender != "Server" || m.Receiver != form.name || len(m.Data) != 32 || m.Time != "" {
				t.Fatalf("first message %+v", m)
			}
			c.initialise(t)
			c.wantMessages(t, reportList,
				"CampaignOverviewReport []",
				`AgentStatusSummaryReport [{"AgentState":"Idle","Inbound":1,"Outbound":2}]`,
				"CallStatusSummaryReport []",
				"AgentStatusDetailReport []",
				`LineReport [{"CallID":"a"}]`,
			)
			// Calls come as they change; the other reports wait for the beat.
			r.publish(t,
				feed.Update{Report: "AgentStatusSummaryReport", Kind: feed.Whole, Content: []byte(`[]`)},
				feed.Update{Report: "LineReport", Kind: feed.Row, Key: "b", Content: []byte(`{"CallID":"b"}`)},
			)
			c.wantMessages(t, `LineReport [{"CallID":"b"}]`)
			c.initialise(t) // a second one is ignored
			r.sv.pulse.beat(time.Now(), 0)
			c.wantMessages(t,
				"CampaignOverviewReport []",
				"AgentStatusSummaryReport []",
				"CallStatusSummaryReport []",
				"AgentStatusDetailReport []",
				`LineReport [{"CallID":"b"},{"CallID":"a"}]`,
			)
			if n := r.door.index.Len(); n != 1 {
				t.Errorf("%d conns are open, want 1", n)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	type form struct {
		path, name, password string
		header               http.Header
	}
	tests := map[string]struct {
		form
		before int    // status by the switch
		after  string // by default: a close frame, or the status again
	}{
		"WrongSecret":   {form{PathTransmitter, stamped, b64("ak:wrong"), nil}, 401, "close 1008 authentication failed"},
		"UnknownKey":    {form{PathTransmitter, stamped, b64("nobody:sk"), nil}, 401, "close 1008 authentication failed"},
		"WrongToken":    {form{PathConsole, unstamped, "wrong", nil}, 401, "close 1008 authentication failed"},
		"OtherPrefix":   {form{PathConsole, "Other_wallboard", "token", nil}, 401, "close 1008 authentication failed"},
		"NoCredential":  {form{PathConsole, unstamped, "", nil}, 401, "401"},
		"UnknownPath":   {form{"/AEOther", unstamped, "token", nil}, 404, "404"},
		"Throttled":     {form{PathConsole, unstamped, "too often", nil}, 429, "429"},
		"ForeignOrigin": {form{PathConsole, unstamped, "token", http.Header{"Origin": {"https://evil.example"}}}, 403, "403"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			origins := []string{"https://good.example"}
			before := newRig(t, Config{BeforeUpgrade: true, Origins: origins})
			c, res := before.dial(t, tt.path, tt.name, tt.password, tt.header)
			if c != nil || res.StatusCode != tt.before {
				t.Errorf("before the upgrade: %s, want %d", res.Status, tt.before)
			}
			if challenge := res.Header.Get("WWW-Authenticate"); (challenge == `Basic realm="PerformanceMetrics"`) != (tt.before == 401) {
				t.Errorf("before the upgrade: WWW-Authenticate %q", challenge)
			}
			r := newRig(t, Config{Origins: origins})
			start := time.Now()
			c, res = r.dial(t, tt.path, tt.name, tt.password, tt.header)
			if c == nil {
				if got := fmt.Sprint(res.StatusCode); got != tt.after {
					t.Errorf("by default: %s, want %s", got, tt.after)
				}
				return
			}
			c.wantClose(t, tt.after)
			if held := time.Since(start); held < time.Second || held > 5*time.Second {
				t.Errorf("held back for %v, want 1 to 3 s", held)
			}
		})
	}
}

func TestDenied(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{BeforeUpgrade: true})
	r.door.denied = true
	if _, res := r.dial(t, PathConsole, unstamped, "token", nil); res.StatusCode != http.StatusForbidden {
		t.Errorf("status %d, want 403", res.StatusCode)
	}
}

// A right that goes between the login and the index shows no OpenID.
func TestRevokedWhileOpening(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{})
	r.door.unheld = true
	r.mustDial(t, PathConsole, unstamped, "token").wantClose(t, "close 1008 authentication failed")
	r.door.unheld = false
	if m, _ := r.mustDial(t, PathConsole, unstamped, "token").next(t); m.MessageType != "OpenID" {
		t.Errorf("the name was not released: %+v", m)
	}
}

func TestRevocationEndsTheSocket(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{})
	c := r.mustDial(t, PathTransmitter, stamped, b64("ak:sk"))
	c.next(t)
	closed := make(chan int, 1)
	r.door.index.Apply(revocation.Entry{N: 1, Effect: revocation.End, Grounds: []revocation.Ground{{Kind: revocation.Principal, ID: "cli_1"}}},
		func(n int) { closed <- n })
	c.wantClose(t, "close 1008 credential no longer valid")
	c.Close()
	if n := <-closed; n != 1 {
		t.Errorf("the receipt counts %d, want 1", n)
	}
}

func TestTokenExpires(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{})
	r.door.expires = time.Now().Add(time.Second)
	c := r.mustDial(t, PathConsole, unstamped, "token")
	c.next(t)
	c.initialise(t)
	for range 6 {
		c.next(t)
	}
	c.wantClose(t, "close 1008 credential no longer valid")
}

func TestNames(t *testing.T) {
	t.Parallel()
	t.Run("StampedIsRefused", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, Config{})
		first := r.mustDial(t, PathTransmitter, stamped, b64("ak:sk"))
		first.next(t)
		r.mustDial(t, PathTransmitter, stamped, b64("ak:sk")).wantClose(t, "close 1008 duplicate connection name")
		first.initialise(t)
		if m, closed := first.next(t); m.MessageType != typeResponse {
			t.Errorf("the first conn suffered: %+v %s", m, closed)
		}
	})
	t.Run("NewestWins", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, Config{NewestWins: true})
		first := r.mustDial(t, PathTransmitter, stamped, b64("ak:sk"))
		first.next(t)
		second := r.mustDial(t, PathTransmitter, stamped, b64("ak:sk"))
		first.wantClose(t, "close 1008 replaced")
		if m, _ := second.next(t); m.MessageType != typeOpenID {
			t.Errorf("second got %+v", m)
		}
	})
	t.Run("UnstampedReplacesItsOwn", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, Config{})
		first := r.mustDial(t, PathConsole, unstamped, "token")
		first.next(t)
		r.mustDial(t, PathConsole, unstamped, "token")
		first.wantClose(t, "close 1008 replaced")
	})
	t.Run("UnstampedOfAnotherIsRefused", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, Config{})
		r.mustDial(t, PathConsole, unstamped, "token").next(t)
		r.mustDial(t, PathTransmitter, unstamped, b64("ak:sk")).wantClose(t, "close 1008 duplicate connection name")
	})
	t.Run("FreeAfterTheEnd", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, Config{BeforeUpgrade: true})
		first := r.mustDial(t, PathTransmitter, stamped, b64("ak:sk"))
		first.next(t)
		first.Close()
		for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			if c, _ := r.dial(t, PathTransmitter, stamped, b64("ak:sk"), nil); c != nil {
				return
			}
			if time.Now().After(deadline) {
				t.Fatal("the name stays taken")
			}
		}
	})
}

func TestClientMessages(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ say, want string }{
		"NotJSON":        {"hello", "close 1007 not an initialization"},
		"InAnothersName": {`{"Sender":"PerformanceMetrics_other","MessageType":"` + typeInit + `","Data":"{\"Sender\":\"PerformanceMetrics_other\"}"}`, "close 1008 sender is not the name of this connection"},
		"TooLong":        {strings.Repeat("x", readLimit+1), "close 1009 message is too long"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newRig(t, Config{}).mustDial(t, PathConsole, unstamped, "token")
			c.next(t)
			c.say(t, tt.say)
			c.wantClose(t, tt.want)
		})
	}
	t.Run("Binary", func(t *testing.T) {
		t.Parallel()
		c := newRig(t, Config{}).mustDial(t, PathConsole, unstamped, "token")
		c.next(t)
		wsutil.WriteClientMessage(c.Conn, ws.OpBinary, []byte("x"))
		c.wantClose(t, "close 1003 binary messages are not accepted")
	})
	t.Run("TooMany", func(t *testing.T) {
		t.Parallel()
		c := newRig(t, Config{}).mustDial(t, PathConsole, unstamped, "token")
		c.next(t)
		for range chatterLimit + 1 {
			c.say(t, `{"Sender":"`+unstamped+`","MessageType":"Hello","Data":""}`)
		}
		c.wantClose(t, "close 1008 too many messages")
	})
}
