package app_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"gatehouse.dev/internal/app/apptest"
)

// boardRoutes are sockets for pages: their backend is one of the test.
const boardRoutes = `
  - {name: board, path: /board, websocket: true, credentials: [bearer, key, ticket], roles: [ayyeka/operator], upstream: board}
  - {name: talk, path: /talk, websocket: true, credentials: [key, message], first_message: {member: key, as: key}, roles: [ayyeka/operator], upstream: board}
  - {name: plain, path: /plain, websocket: true, credentials: [message], roles: [ayyeka/operator], upstream: board}
  - {name: list, path: /list/, credentials: [bearer], roles: [ayyeka/operator], upstream: board}
`

// startBoard starts a house with a backend that echoes, and tells of each
// handshake what the gate let through.
func startBoard(t *testing.T, o apptest.Options) (*apptest.House, <-chan *http.Request) {
	t.Helper()
	seen := make(chan *http.Request, 100)
	board := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Clone(context.Background())
		if r.Header.Get("Upgrade") == "" {
			io.WriteString(w, "ok")
			return
		}
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"board.v1"}, InsecureSkipVerify: true})
		if err != nil {
			return
		}
		defer c.CloseNow()
		for {
			kind, data, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), kind, data) != nil {
				return
			}
		}
	}))
	t.Cleanup(board.Close)
	o.Upstreams, o.Routes = "board: {urls: ['"+board.URL+"']}", boardRoutes
	return apptest.Start(t, o), seen
}

// askTicket asks for a ticket, and returns it with the status.
func askTicket(t *testing.T, h *apptest.House, path, key, origin string) (string, int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.Gate+"/-/tickets?path="+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("X-API-Key", key)
	}
	if origin != "" {
		req.Header.Set("Origin", origin)
	}
	status, body := do(t, http.DefaultClient, req)
	var made struct {
		Ticket  string
		Expires time.Time
	}
	if status == http.StatusCreated {
		if err := json.Unmarshal([]byte(body), &made); err != nil || made.Ticket == "" || time.Until(made.Expires) > 11*time.Second {
			t.Errorf("made %s: %v", body, err)
		}
	}
	return made.Ticket, status
}

// openWith opens a socket as a page of that origin.
func openWith(t *testing.T, h *apptest.House, path, origin string, protocols ...string) (*websocket.Conn, int) {
	t.Helper()
	header := http.Header{}
	if origin != "" {
		header.Set("Origin", origin)
	}
	c, res, err := websocket.Dial(t.Context(), socketURL(h)+path, &websocket.DialOptions{HTTPHeader: header, Subprotocols: protocols})
	if err != nil {
		if res == nil {
			t.Fatal(err)
		}
		return nil, res.StatusCode
	}
	t.Cleanup(func() { c.CloseNow() })
	return c, res.StatusCode
}

// waitRecorded waits until the newest event of a query has that method and reason.
func waitRecorded(t *testing.T, h *apptest.House, query, method, reason string) {
	t.Helper()
	var last string
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var page struct {
			Items []struct{ Dialect, Method, Reason string }
		}
		if status, err := h.Admin.Call(t.Context(), "GET", query, nil, &page); err != nil || status != http.StatusOK {
			t.Fatalf("%d, %v", status, err)
		}
		if len(page.Items) > 0 {
			if e := page.Items[0]; e.Method == method && e.Reason == reason {
				return
			}
			last = page.Items[0].Dialect + "/" + page.Items[0].Method + ": " + page.Items[0].Reason
		}
	}
	t.Errorf("not recorded; the last is %q", last)
}

func TestTicket(t *testing.T) {
	t.Parallel()
	h, seen := startBoard(t, apptest.Options{})
	key := h.Admin.Credential(t, h.Admin.Client(t, "page", "ayyeka/operator"), "api_key", "")
	made, status := askTicket(t, h, "/board", key.Secret, h.Gate)
	if status != http.StatusCreated {
		t.Fatalf("no ticket: %d", status)
	}
	c, _ := openWith(t, h, "/board?view=7&ticket="+made, h.Gate)
	if c == nil {
		t.Fatal("the ticket opens nothing")
	}
	hear(t.Context(), t, c, "hello")
	if r := <-seen; r.URL.RawQuery != "view=7" || strings.Contains(r.URL.String()+r.Header.Get("Referer"), made) {
		t.Errorf("the backend was asked for %s", r.URL)
	}
	if again, status := openWith(t, h, "/board?ticket="+made, h.Gate); again != nil || status != http.StatusUnauthorized {
		t.Errorf("the ticket was used again: %d", status)
	}
	waitRecorded(t, h, "/v1/audit?action=login&outcome=refused", "ticket", "no such ticket")

	// What was opened with it rests on what its maker had shown.
	watch := startWatch(t)
	receipt := h.Admin.Revoke(t, key.ID)
	if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusPolicyViolation || watch.began.IsZero() {
		t.Errorf("the socket ended with %v, want 1008", err)
	}
	if receipt.Closed() != 1 {
		t.Errorf("the receipt counts %d", receipt.Closed())
	}
}

func TestTicketRefused(t *testing.T) {
	t.Parallel()
	h, _ := startBoard(t, apptest.Options{Tenant: "origins: ['https://board.example']"})
	page := h.Admin.Client(t, "page", "ayyeka/operator")
	key := h.Admin.Credential(t, page, "api_key", "")
	stranger := h.Admin.Credential(t, h.Admin.Client(t, "stranger"), "api_key", "")

	for _, c := range []struct {
		name, path, key, origin string
		want                    int
	}{
		{"no credential", "/board", "", h.Gate, 401},
		{"a wrong one", "/board", "ghk_wrong", h.Gate, 401},
		{"no right", "/board", stranger.Secret, h.Gate, 403},
		{"another origin", "/board", key.Secret, "https://evil.example", 403},
		{"the tenant's origin", "/board", key.Secret, "https://board.example", 201},
		{"another port", "/board", key.Secret, "http://127.0.0.1:1", 403},
		{"the same host over TLS", "/board", key.Secret, strings.Replace(h.Gate, "http://", "https://", 1), 403},
		{"no socket", "/list/x", key.Secret, h.Gate, 404},
		{"takes no tickets", "/talk", key.Secret, h.Gate, 404},
		{"nothing there", "/nothing", key.Secret, h.Gate, 404},
		{"no path", "", key.Secret, h.Gate, 400},
	} {
		if _, status := askTicket(t, h, c.path, c.key, c.origin); status != c.want {
			t.Errorf("%s: %d, want %d", c.name, status, c.want)
		}
	}

	opens := func(what, ticket, origin string) {
		t.Helper()
		if c, status := openWith(t, h, "/board?ticket="+ticket, origin); c != nil || status != http.StatusUnauthorized {
			t.Errorf("%s: %d, want 401", what, status)
		}
	}
	made, _ := askTicket(t, h, "/board", key.Secret, h.Gate)
	opens("from another origin", made, "https://board.example")
	opens("and then from its own", made, h.Gate) // used up by whoever came first
	made, _ = askTicket(t, h, "/board", key.Secret, h.Gate)
	opens("without an origin", made, "")
	opens("not well-formed", "ghw_guess", h.Gate)

	made, _ = askTicket(t, h, "/board", key.Secret, h.Gate)
	h.Admin.Revoke(t, key.ID)
	opens("after its maker's key was revoked", made, h.Gate)
}

func TestFirstMessage(t *testing.T) {
	t.Parallel()
	h, seen := startBoard(t, apptest.Options{})
	page := h.Admin.Client(t, "page", "ayyeka/operator")
	key := h.Admin.Credential(t, page, "api_key", "")
	var made struct{ Token string }
	h.Admin.Post(t, "/v1/tokens", map[string]any{"principal": page, "unscoped": true}, &made)
	say := func(c *websocket.Conn, text string) {
		t.Helper()
		if err := c.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}

	c, _ := openWith(t, h, "/talk", h.Gate, "board.v1", "board.v2")
	if c == nil || c.Subprotocol() != "board.v1" {
		t.Fatal("no socket, or another subprotocol than was offered first")
	}
	select {
	case <-seen:
		t.Fatal("the backend was asked before anybody said who they are")
	case <-time.After(100 * time.Millisecond):
	}
	say(c, `{"type":"hello","key":"`+key.Secret+`"}`)
	hear(t.Context(), t, c, "hello") // the first thing that the backend hears, and echoes
	if r := <-seen; r.Header.Get("Gatehouse-Identity") == "" {
		t.Error("the backend was not told who it is")
	}
	h.Admin.Revoke(t, key.ID)
	if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("the socket ended with %v, want 1008", err)
	}

	whole, _ := openWith(t, h, "/plain", h.Gate)
	say(whole, made.Token+"\n")
	hear(t.Context(), t, whole, "hello")
	<-seen

	for name, text := range map[string]string{
		"revoked":     `{"key":"` + key.Secret + `"}`,
		"unknown":     `{"key":"ghk_wrong"}`,
		"no member":   `{"token":"x"}`,
		"not JSON":    `hello`,
		"given twice": `{"key":"a","key":"b"}`,
		"not text":    `{"key":7}`,
		"too long":    `{"key":"` + strings.Repeat("x", 20<<10) + `"}`,
	} {
		c, _ := openWith(t, h, "/talk", h.Gate)
		say(c, text)
		if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
			t.Errorf("%s: ended with %v, want 1008", name, err)
		}
	}
	binary, _ := openWith(t, h, "/talk", h.Gate)
	if err := binary.Write(t.Context(), websocket.MessageBinary, []byte(`{"key":"x"}`)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := binary.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("binary: ended with %v, want 1008", err)
	}
	if evil, status := openWith(t, h, "/talk", "https://evil.example"); evil != nil || status != http.StatusForbidden {
		t.Errorf("a page of another origin: %d", status)
	}
	select {
	case r := <-seen:
		t.Errorf("the backend was asked for %s by somebody who was refused", r.URL)
	default:
	}

	silent, _ := openWith(t, h, "/talk", h.Gate)
	began := time.Now()
	if _, _, err := silent.Read(t.Context()); err == nil || time.Since(began) > 20*time.Second*slack {
		t.Errorf("a silent socket ended after %v with %v", time.Since(began), err)
	}
}
