package fieldpine_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gatehouse.dev/internal/app/apptest"
	"gatehouse.dev/internal/dialect/dialecttest"
)

// TestRecordings replays testdata against the whole server. Each recording has a
// server of its own, since refusals count against an address.
func TestRecordings(t *testing.T) {
	t.Parallel()
	dialecttest.Run(t, "testdata/*.txt", func(t *testing.T) dialecttest.Target { return newRecorded(t, "") })
}

// TestRecordingsHello: with the settings for very old clients.
func TestRecordingsHello(t *testing.T) {
	t.Parallel()
	dialecttest.Run(t, "testdata/hello/*.txt", func(t *testing.T) dialecttest.Target {
		return newRecorded(t, "  hello: true\n  alias: true\n")
	})
}

const recordedShop = `
fieldpine:
  plain_text: true
  endpoints:
    - {action: fd1.products.*, upstream: shop}
    - {action: fd1.sales.get_sale, upstream: shop, entity: Sale}
`

// opening is an opening handshake's headers, for the second and later exchanges
// of a recording.
const opening = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="

// newRecorded is a server and whoever a recording names.
func newRecorded(t *testing.T, settings string) dialecttest.Target {
	t.Helper()
	backend := httptest.NewServer(http.HandlerFunc(apptest.AnswerShop))
	t.Cleanup(backend.Close)
	h := apptest.Start(t, apptest.Options{Upstreams: "shop: {urls: ['" + backend.URL + "']}", Dialects: recordedShop + settings})
	vars := map[string]string{"host": "shop.example", "websocket": opening}
	put := func(name string, c apptest.Credential) {
		vars[name+"id"], vars[name+"key"] = c.ID, c.Secret
	}
	till := h.Admin.Client(t, "till", "fieldpine/staff")
	put("", h.Admin.Credential(t, till, "api_key", ""))
	put("other_", h.Admin.Credential(t, till, "api_key", ""))
	put("roleless_", h.Admin.Credential(t, h.Admin.Client(t, "clerk"), "api_key", ""))
	vars["token"] = saleToken(t, h, till, "7741", 0)
	vars["once"] = saleToken(t, h, till, "7743", 1)
	if strings.Contains(t.Name(), "encrypted") { // their keys are slow to make
		ana := h.Admin.Credential(t, h.Admin.User(t, "ana@shop.example", "fieldpine/staff"), "encryption", "")
		bob := h.Admin.Credential(t, h.Admin.User(t, "bob@shop.example", "fieldpine/staff"), "encryption", "")
		vars["user_secret"], vars["bobs_secret"], vars["bobs_id"] = ana.Secret, bob.Secret, bob.ID
	}

	s := &sealing{keys: make(map[string][]byte)}
	return dialecttest.Target{
		Addr: strings.TrimPrefix(h.Gate, "http://"), Vars: vars, Forms: s.forms(),
		Do: map[string]func(context.Context, ...string) error{
			"begin":   s.begin,
			"revoke":  func(_ context.Context, args ...string) error { h.Admin.Revoke(t, args[0]); return nil },
			"publish": posts(h, "/v1/events"),
			"push":    posts(h, "/v1/pushes"),
			"revoke-sale": func(ctx context.Context, args ...string) error {
				return posts(h, "/v1/credentials/revoke-scoped")(ctx, `{"type":"Sale","key":"`+args[0]+`"}`)
			},
		},
	}
}

// posts sends JSON to the admin API.
func posts(h *apptest.House, path string) func(context.Context, ...string) error {
	return func(ctx context.Context, args ...string) error {
		_, err := h.Admin.Call(ctx, http.MethodPost, path, json.RawMessage(strings.Join(args, " ")), nil)
		return err
	}
}

// saleToken makes a token for one sale; uses may be 0, for any number.
func saleToken(t *testing.T, h *apptest.House, owner, sale string, uses int) string {
	t.Helper()
	scope := map[string]any{"type": "Sale", "key": sale, "actions": []string{"fd1.sales.get_sale"}}
	if uses > 0 {
		scope["max_uses"] = uses
	}
	var out struct{ Secret string }
	h.Admin.Post(t, "/v1/credentials", map[string]any{
		"principal": owner, "kind": "scoped_token", "expires": time.Now().Add(time.Hour), "scope": scope,
	}, &out)
	return out.Secret
}
