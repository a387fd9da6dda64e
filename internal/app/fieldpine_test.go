package app_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"gatehouse.dev/client/fieldpine"
	"gatehouse.dev/internal/app/apptest"
)

// plainFieldpine speaks FD1 with a backend of the test.
const plainFieldpine = `
fieldpine:
  plain_text: true
  alias: true
  endpoints:
    - {action: fd1.products.*, upstream: shop}
    - {action: fd1.sales.get_sale, upstream: shop, entity: Sale}
`

// startShop starts a house and the backend of its FD1 actions, which answers
// with the path it was asked for and the packet.
func startShop(t *testing.T, o apptest.Options) *apptest.House {
	t.Helper()
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		packet, _ := io.ReadAll(r.Body)
		identity := r.Header.Get("Gatehouse-Identity") != ""
		w.Header().Set("Content-Type", "application/json")
		if !identity {
			w.WriteHeader(http.StatusForbidden)
		}
		io.WriteString(w, `[{"path":"`+r.URL.Path+`","packet":`+string(packet)+`}]`)
	}))
	t.Cleanup(shop.Close)
	o.Upstreams, o.Dialects = "shop: {urls: ['"+shop.URL+"']}", plainFieldpine+o.Dialects
	return apptest.Start(t, o)
}

// rows is what the backend of a test answers.
type rows struct {
	Rows []struct {
		Path   string
		Packet map[string]any
	}
}

func dialShop(t *testing.T, h *apptest.House, key string) *fieldpine.Conn {
	t.Helper()
	c, err := fieldpine.Dial(t.Context(), socketURL(h)+"/fd1/open_websocket", fieldpine.APIKey(key), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestFieldpineKey calls a backend over a socket and over HTTP, and takes the
// key away.
func TestFieldpineKey(t *testing.T) {
	t.Parallel()
	h := startShop(t, apptest.Options{})
	key := h.Admin.Credential(t, h.Admin.Client(t, "till", "fieldpine/shop"), "api_key", "")
	c := dialShop(t, h, key.Secret)

	var got rows
	err := c.Call(t.Context(), fieldpine.Request{Action: "fd1.products.get_products", Query: map[string]any{"price(>)": 3}}, &got)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Rows) != 1 || got.Rows[0].Path != "/fd1/products/get_products" || got.Rows[0].Packet["a"] != "fd1.products.get_products" {
		t.Errorf("the backend was asked %+v", got)
	}
	var refused *fieldpine.Error
	if err := c.Call(t.Context(), fieldpine.Request{Action: "fd1.stock.count"}, nil); !errors.As(err, &refused) || refused.Code != 404 {
		t.Errorf("an action without a backend: %v, want 404", err)
	}

	over := func() (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.Gate+"/fd1/sales/get_sale?_k=7741", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Apikey", key.Secret)
		return do(t, http.DefaultClient, req)
	}
	if status, body := over(); status != 200 || !strings.Contains(body, `"path":"/fd1/sales/get_sale","packet":{"a":"fd1.sales.get_sale","k":"7741"}`) {
		t.Errorf("over HTTP: %d %s", status, body)
	}

	watch := startWatch(t)
	receipt := h.Admin.Revoke(t, key.ID)
	ended(t, c, watch, websocket.StatusPolicyViolation)
	if receipt.Closed() != 1 || len(receipt.Unreached) > 0 {
		t.Errorf("the receipt counts %d closed, unreached %v", receipt.Closed(), receipt.Unreached)
	}
	if status, body := over(); status != 401 {
		t.Errorf("over HTTP with a revoked key: %d %s", status, body)
	}
}

// ended waits for the end of a socket, within the promise.
func ended(t *testing.T, c *fieldpine.Conn, w watch, want websocket.StatusCode) {
	t.Helper()
	<-c.Done()
	if took, limit := time.Since(w.began), w.limit(t, promise); took > limit {
		t.Errorf("ended after %v; the limit is %v", took, limit)
	}
	if got := websocket.CloseStatus(c.Err()); got != want {
		t.Errorf("ended with %v, want code %d", c.Err(), want)
	}
}

// TestFieldpineLogins: several logins on one socket, each of which is taken away
// on its own; the last one takes the socket along.
func TestFieldpineLogins(t *testing.T) {
	t.Parallel()
	h := startShop(t, apptest.Options{})
	client := h.Admin.Client(t, "till", "fieldpine/shop")
	clerk := h.Admin.Client(t, "clerk") // without a role
	key, tab, other := h.Admin.Credential(t, client, "api_key", ""), h.Admin.Credential(t, client, "api_key", ""), h.Admin.Credential(t, clerk, "api_key", "")

	c := dialShop(t, h, other.Secret)
	ask := func(thread string) int {
		t.Helper()
		err := c.Call(t.Context(), fieldpine.Request{Action: "fd1.products.get_products", Thread: thread}, nil)
		var refused *fieldpine.Error
		if errors.As(err, &refused) {
			return refused.Code
		} else if err != nil {
			t.Fatal(err)
		}
		return 200
	}
	login := func(k apptest.Credential, thread string) {
		t.Helper()
		if err := c.Login(t.Context(), fieldpine.APIKey(k.Secret), thread); err != nil {
			t.Fatal(err)
		}
	}
	if got := ask(""); got != 403 {
		t.Errorf("with no role: %d, want 403", got)
	}
	login(key, "") // adds to what the first may
	login(tab, "tab-2")
	if a, b := ask(""), ask("tab-2"); a != 200 || b != 200 {
		t.Errorf("after two more logins: %d and %d, want 200", a, b)
	}

	if r := h.Admin.Revoke(t, key.ID); r.Closed() != 1 {
		t.Errorf("one login gone: the receipt counts %d", r.Closed())
	}
	if a, b := ask(""), ask("tab-2"); a != 403 || b != 200 {
		t.Errorf("after the second login went: %d and %d, want 403 and 200", a, b)
	}
	h.Admin.Revoke(t, tab.ID)
	// The thread's session is gone, and it has none of its own any more.
	if a, b := ask(""), ask("tab-2"); a != 403 || b != 403 {
		t.Errorf("after the thread's login went: %d and %d, want 403", a, b)
	}
	watch := startWatch(t)
	h.Admin.Revoke(t, other.ID)
	ended(t, c, watch, websocket.StatusPolicyViolation)
}
