package app_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"gatehouse.dev/client/acqueon"
	"gatehouse.dev/client/fieldpine"
	"gatehouse.dev/internal/app/apptest"
)

const plainAcqueon = "acqueon: {plain_text: true}\n"

// socketURL is the gate's address for sockets.
func socketURL(h *apptest.House) string { return "ws" + strings.TrimPrefix(h.Gate, "http") }

// board is a dashboard that runs until it is cut off once.
type board struct {
	reports chan acqueon.Report
	ended   chan error
}

// watchBoard connects once, with the client's own code.
func watchBoard(ctx context.Context, h *apptest.House, c acqueon.Credential) *board {
	return watchBoardAs(ctx, h, "wallboard", c)
}

// watchBoardAs is watchBoard for one of several that are opened in one second.
func watchBoardAs(ctx context.Context, h *apptest.House, user string, c acqueon.Credential) *board {
	b := &board{reports: make(chan acqueon.Report, 100), ended: make(chan error, 1)}
	client := &acqueon.Client{URL: socketURL(h), User: user, Credential: c, Zone: time.UTC}
	go func() { b.ended <- client.Once(ctx, func(r acqueon.Report) { b.reports <- r }) }()
	return b
}

// report waits for one of that name.
func (b *board) report(t *testing.T, name string) acqueon.Report {
	t.Helper()
	late := time.After(20 * time.Second * slack)
	for {
		select {
		case r := <-b.reports:
			if r.Name == name {
				return r
			}
		case err := <-b.ended:
			t.Fatalf("the socket ended before %s came: %v", name, err)
		case <-late:
			t.Fatalf("%s did not come", name)
		}
	}
}

// end waits for the end of the socket.
func (b *board) end(t *testing.T) (code websocket.StatusCode, err error) {
	t.Helper()
	select {
	case err := <-b.ended:
		return websocket.CloseStatus(err), err
	case <-time.After(20 * time.Second * slack):
		t.Fatal("the socket did not end")
		return 0, nil
	}
}

// TestAcqueonPair opens a dashboard with a key pair (form U3), and takes the
// pair away.
func TestAcqueonPair(t *testing.T) {
	t.Parallel()
	h := apptest.Start(t, apptest.Options{Dialects: plainAcqueon})
	pair := h.Admin.Credential(t, h.Admin.Client(t, "wall", "acqueon/viewer"), "key_pair", "")
	b := watchBoard(t.Context(), h, acqueon.APIKey(pair.Key, pair.Secret))
	if r := b.report(t, "LineReport"); string(r.Data) != "[]" {
		t.Errorf("a report that nobody published is %s", r.Data)
	}

	watch := startWatch(t)
	receipt := h.Admin.Revoke(t, pair.ID)
	if code, err := b.end(t); code != websocket.StatusPolicyViolation || !strings.Contains(err.Error(), "credential no longer valid") {
		t.Errorf("ended with %v, want 1008 credential no longer valid", err)
	}
	took, limit := time.Since(watch.began), watch.limit(t, promise)
	if took > limit {
		t.Errorf("ended after %v; the limit is %v", took, limit)
	}
	if receipt.Closed() != 1 || len(receipt.Unreached) > 0 {
		t.Errorf("the receipt counts %d closed, unreached %v", receipt.Closed(), receipt.Unreached)
	}
	again := watchBoard(t.Context(), h, acqueon.APIKey(pair.Key, pair.Secret))
	if _, err := again.end(t); err != acqueon.ErrRefused {
		t.Errorf("with a revoked pair: %v, want %v", err, acqueon.ErrRefused)
	}
}

// dialRaw opens a metrics socket as a program without the client would.
func dialRaw(t *testing.T, h *apptest.House, path, name, password string, header http.Header) (*websocket.Conn, int) {
	t.Helper()
	if header == nil {
		header = http.Header{}
	}
	req := &http.Request{Header: header}
	req.SetBasicAuth(name, password)
	c, res, err := websocket.Dial(t.Context(), socketURL(h)+path+"?name="+name, &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		if res == nil {
			t.Fatal(err)
		}
		return nil, res.StatusCode
	}
	t.Cleanup(func() { c.CloseNow() })
	return c, res.StatusCode
}

// first reads the first message of a socket, or why there is none.
func first(t *testing.T, c *websocket.Conn) (string, error) {
	t.Helper()
	if c == nil {
		t.Fatal("there is no socket: it was refused")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second*slack)
	defer cancel()
	_, data, err := c.Read(ctx)
	return string(data), err
}

// TestAcqueonToken opens dashboards with access tokens, in base64 (form U2) and
// raw (form U1), at the path and with a slash after it.
func TestAcqueonToken(t *testing.T) {
	t.Parallel()
	h := apptest.Start(t, apptest.Options{Dialects: "acqueon: {plain_text: true, scope: ''}\n"})
	client := h.Admin.Client(t, "wallboard", "acqueon/viewer", "ayyeka/operator")
	token := buyToken(t, h, h.Admin.Credential(t, client, "key_pair", "ayyeka"))

	b := watchBoard(t.Context(), h, acqueon.Token(func(context.Context) (string, error) { return token, nil }))
	b.report(t, "CampaignOverviewReport")

	var open []*websocket.Conn
	for _, path := range []string{"/AEConsole", "/AEConsole/"} {
		c, _ := dialRaw(t, h, path, "PerformanceMetrics_"+strings.Trim(path, "/")+string(rune('a'+len(path))), token, nil)
		if hello, err := first(t, c); err != nil || !strings.Contains(hello, `"MessageType":"OpenID"`) {
			t.Errorf("%s: %q, %v", path, hello, err)
		}
		open = append(open, c)
	}
	if _, status := dialRaw(t, h, "/AEConsole/more", "PerformanceMetrics_x", token, nil); status != http.StatusNotFound {
		t.Errorf("below the path: %d, want 404", status)
	}
	if _, status := dialRaw(t, h, "/aeconsole", "PerformanceMetrics_x", token, nil); status != http.StatusNotFound {
		t.Errorf("in lower case: %d, want 404", status)
	}

	// All of it rests on the one token.
	var receipt apptest.Receipt
	h.Admin.Post(t, "/v1/tokens/revoke", map[string]any{"token": token}, &receipt)
	if receipt.Closed() != 3 {
		t.Errorf("the receipt counts %d closed, want 3", receipt.Closed())
	}
	if code, err := b.end(t); code != websocket.StatusPolicyViolation {
		t.Errorf("form U2 ended with %v", err)
	}
	for _, c := range open {
		if _, err := first(t, c); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
			t.Errorf("form U1 ended with %v", err)
		}
	}
}

// TestAcqueonScope: an access token of somebody who may watch does not do, when
// it lacks the scope; key pairs have none and need none.
func TestAcqueonScope(t *testing.T) {
	t.Parallel()
	h := apptest.Start(t, apptest.Options{Dialects: "acqueon: {plain_text: true, refuse: before_upgrade, match_user: true}\n"})
	client := h.Admin.Client(t, "wallboard", "acqueon/viewer", "ayyeka/operator")
	token := buyToken(t, h, h.Admin.Credential(t, client, "key_pair", "ayyeka"))
	if _, status := dialRaw(t, h, "/AEConsole", "PerformanceMetrics_wallboard", token, nil); status != http.StatusForbidden {
		t.Errorf("without the scope: %d, want 403", status)
	}
	if _, status := dialRaw(t, h, "/AEConsole", "PerformanceMetrics_somebody", token, nil); status != http.StatusUnauthorized {
		t.Errorf("in the name of another: %d, want 401", status)
	}

	expires := time.Now().Add(5 * time.Second * slack)
	scoped := issueToken(t, h, client, "performance-metrics", 5*time.Second*slack)
	b := watchBoard(t.Context(), h, acqueon.Token(func(context.Context) (string, error) { return scoped, nil }))
	b.report(t, "AgentStatusDetailReport")
	if code, err := b.end(t); code != websocket.StatusPolicyViolation || !strings.Contains(err.Error(), "credential no longer valid") {
		t.Errorf("ended with %v, want 1008 credential no longer valid", err)
	}
	if late := time.Since(expires); late < -time.Second || late > 2*time.Second*slack {
		t.Errorf("ended %v after the token did", late)
	}
}

// issueToken makes an opaque access token.
func issueToken(t *testing.T, h *apptest.House, owner, scope string, lifetime time.Duration) string {
	t.Helper()
	var made struct{ Token string }
	h.Admin.Post(t, "/v1/tokens", map[string]any{"principal": owner, "scopes": []string{scope}, "lifetime": lifetime.String()}, &made)
	return made.Token
}

// TestAcqueonRefused: what the configuration says about origins and paths, and
// the challenge for browsers.
func TestAcqueonRefused(t *testing.T) {
	t.Parallel()
	h := apptest.Start(t, apptest.Options{
		Tenant:   "origins: ['https://Board.example:443']\n",
		Dialects: "acqueon: {plain_text: true, paths: [/AEDataTransmitter], scope: boards}\n",
	})
	client := h.Admin.Client(t, "wall", "acqueon/viewer")
	pair := h.Admin.Credential(t, client, "key_pair", "")
	password := base64.StdEncoding.EncodeToString([]byte(pair.Key + ":" + pair.Secret))
	const name = "PerformanceMetrics_wall_1767225600"
	if _, status := dialRaw(t, h, "/AEDataTransmitter", name, password, http.Header{"Origin": {"https://elsewhere.example"}}); status != http.StatusForbidden {
		t.Errorf("from another origin: %d, want 403", status)
	}
	if _, status := dialRaw(t, h, "/AEConsole", name, password, nil); status != http.StatusNotFound {
		t.Errorf("at a path that is off: %d, want 404", status)
	}
	c, _ := dialRaw(t, h, "/AEDataTransmitter", name, password, http.Header{"Origin": {"https://board.example"}})
	if hello, err := first(t, c); err != nil || !strings.Contains(hello, "OpenID") {
		t.Errorf("from the tenant's origin: %q, %v", hello, err)
	}
	twin, _ := dialRaw(t, h, "/AEDataTransmitter/", name, password, nil)
	if said, err := first(t, twin); !strings.Contains(fmt.Sprint(err), "duplicate connection name") {
		t.Errorf("a second one of that name: %q, %v", said, err)
	}
	for scope, want := range map[string]string{"boards": "OpenID", "performance-metrics": "not permitted"} {
		password := base64.StdEncoding.EncodeToString([]byte(issueToken(t, h, client, scope, time.Hour)))
		c, _ := dialRaw(t, h, "/AEDataTransmitter", "PerformanceMetrics_"+scope, password, nil)
		if said, err := first(t, c); !strings.Contains(said+fmt.Sprint(err), want) {
			t.Errorf("a token with scope %s: %q, %v; want %s", scope, said, err, want)
		}
	}
	_, res, err := websocket.Dial(t.Context(), socketURL(h)+"/AEDataTransmitter?name="+name, nil)
	if err == nil || res.StatusCode != http.StatusUnauthorized || res.Header.Get("WWW-Authenticate") != `Basic realm="PerformanceMetrics"` {
		t.Errorf("without a header: %v, %v", res, err)
	}
}

// TestMethodOff: an administrator switches methods of both dialects off, which
// ends what came in by them and nothing else, and on again.
func TestMethodOff(t *testing.T) {
	t.Parallel()
	h := startShop(t, apptest.Options{Dialects: plainAcqueon})
	client := h.Admin.Client(t, "wall", "acqueon/viewer", "fieldpine/shop")
	pair, key := h.Admin.Credential(t, client, "key_pair", ""), h.Admin.Credential(t, client, "api_key", "")
	b := watchBoard(t.Context(), h, acqueon.APIKey(pair.Key, pair.Secret))
	b.report(t, "LineReport")
	till := dialShop(t, h, key.Secret)

	off := func(dialect, method string) apptest.Receipt {
		var r apptest.Receipt
		h.Admin.Post(t, "/v1/methods/off", map[string]any{"dialect": dialect, "method": method}, &r)
		return r
	}
	for _, mistyped := range [][2]string{{"fieldpine", "apikey"}, {"fieldpin", "api_key"}} {
		status, err := h.Admin.Call(t.Context(), http.MethodPost, "/v1/methods/off", map[string]any{"dialect": mistyped[0], "method": mistyped[1]}, nil)
		if status != http.StatusUnprocessableEntity || !strings.Contains(fmt.Sprint(err), "fieldpine") {
			t.Errorf("%v: %d, %v; want 422 and what there is", mistyped, status, err)
		}
	}
	watch := startWatch(t)
	if r := off("fieldpine", "api_key"); r.Closed() != 1 {
		t.Errorf("the receipt counts %d closed, want 1", r.Closed())
	}
	ended(t, till, watch, websocket.StatusPolicyViolation)
	if _, err := fieldpine.Dial(t.Context(), socketURL(h)+"/fd1/open_websocket", fieldpine.APIKey(key.Secret),
		&fieldpine.Options{LoginTimeout: time.Second}); !errors.Is(err, fieldpine.ErrNoAnswer) {
		t.Errorf("a login by a method that is off: %v, want silence", err)
	}
	select {
	case err := <-b.ended:
		t.Fatalf("the other dialect's socket ended, too: %v", err)
	default:
	}
	off("acqueon", "key_pair")
	if code, err := b.end(t); code != websocket.StatusPolicyViolation {
		t.Errorf("ended with %v", err)
	}
	h.Admin.Post(t, "/v1/methods/on", map[string]any{"dialect": "acqueon", "method": "key_pair"}, nil)
	watchBoard(t.Context(), h, acqueon.APIKey(pair.Key, pair.Secret)).report(t, "LineReport")
}

// TestDrainDialects: a node that stops tells the sockets of both dialects to
// come back elsewhere.
func TestDrainDialects(t *testing.T) {
	t.Parallel()
	h := startShop(t, apptest.Options{Dialects: plainAcqueon, Drain: 2 * time.Second})
	client := h.Admin.Client(t, "wall", "acqueon/viewer", "fieldpine/shop")
	pair, key := h.Admin.Credential(t, client, "key_pair", ""), h.Admin.Credential(t, client, "api_key", "")
	b := watchBoard(t.Context(), h, acqueon.APIKey(pair.Key, pair.Secret))
	b.report(t, "LineReport")
	till := dialShop(t, h, key.Secret)

	if err := h.Stop(); err != nil {
		t.Error(err)
	}
	if code, err := b.end(t); code != websocket.StatusGoingAway {
		t.Errorf("the dashboard ended with %v, want 1001", err)
	}
	<-till.Done()
	if code := websocket.CloseStatus(till.Err()); code != websocket.StatusGoingAway {
		t.Errorf("the till ended with %v, want 1001", till.Err())
	}
}
