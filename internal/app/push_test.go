package app_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"

	"gatehouse.dev/client/fieldpine"
	"gatehouse.dev/internal/app/apptest"
	"gatehouse.dev/internal/secret"
)

// taken is what the admin API says of a message.
type taken struct{ Sockets int }

// TestPushAndFirehose has a backend say things to FD1 sockets through the admin
// API, and then stops the server, which says so first.
func TestPushAndFirehose(t *testing.T) {
	t.Parallel()
	h := startShop(t, apptest.Options{Drain: 4 * time.Second, Dialects: `
  stop_message: Back in ten minutes
  servers: ['wss://fd1-b.shop.example/fd1/open_websocket']
`})
	till := h.Admin.Client(t, "till", "fieldpine/shop", "fieldpine/listener")
	key := h.Admin.Credential(t, till, "api_key", "")
	pushes := make(chan fieldpine.Push, 1)
	c, err := fieldpine.Dial(t.Context(), socketURL(h)+"/fd1/open_websocket", fieldpine.APIKey(key.Secret),
		&fieldpine.Options{OnPush: func(p fieldpine.Push) { pushes <- p }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	events, err := c.Firehose(t.Context(), "device.event", map[string]any{"_sc": "device.scale.*", "kg(>=)": 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Call(t.Context(), fieldpine.Request{Action: "fd1.session.set_option", Values: map[string]any{}}, nil); err != nil {
		t.Fatal(err) // the firehose stands before it
	}

	var got taken
	h.Admin.Post(t, "/v1/pushes", map[string]any{"to": map[string]any{"principal": till}, "a": "fn1.shop.open", "v": map[string]any{"till": 7}}, &got)
	if p := <-pushes; got.Sockets != 1 || p.Action != "fn1.shop.open" || string(p.Values) != `{"till":7}` {
		t.Errorf("%d sockets took %s %s", got.Sockets, p.Action, p.Values)
	}
	for _, kg := range []float64{1.5, 2.5} {
		h.Admin.Post(t, "/v1/events", map[string]any{"event": "device.event", "sc": "device.scale.reading", "v": map[string]any{"kg": kg}}, &got)
	}
	if e := <-events; e.Schema != "device.scale.reading" || string(e.Values) != `{"kg":2.5}` {
		t.Errorf("event %s %s", e.Schema, e.Values)
	}

	// Publishing is a right of its own.
	if status, err := (apptest.Admin{URL: h.Admin.URL, Token: secret.New(key.Secret)}).Call(t.Context(), http.MethodPost, "/v1/events",
		map[string]any{"event": "device.event", "v": map[string]any{}}, nil); status != http.StatusForbidden {
		t.Errorf("a till publishes: %d, %v", status, err)
	}

	stopped := make(chan error, 1)
	go func() { stopped <- h.Stop() }()
	want := `{"message":"Back in ten minutes","servers":[{"url":"wss://fd1-b.shop.example/fd1/open_websocket"}]}`
	<-c.Done()
	select {
	case p := <-pushes:
		if p.Action != "fn1.link.link_status" || string(p.Values) != want {
			t.Errorf("before the stop: %s %s", p.Action, p.Values)
		}
	default:
		t.Error("nothing was said before the stop")
	}
	if websocket.CloseStatus(c.Err()) != websocket.StatusGoingAway {
		t.Errorf("ended with %v, want code 1001", c.Err())
	}
	if err := <-stopped; err != nil {
		t.Errorf("stop: %v", err)
	}
}
