package app_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"gatehouse.dev/internal/app/apptest"
)

// TestDrain stops the server under a request, a socket and a download without an
// end: the first is answered, the others are told to come back elsewhere.
func TestDrain(t *testing.T) {
	t.Parallel()
	h := apptest.Start(t, apptest.Options{Drain: 4 * time.Second})
	key := h.Admin.Credential(t, h.Admin.Client(t, "pump", "ayyeka/operator"), "api_key", "").Secret
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()

	conn, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(h.Gate, "http")+"/echo", &websocket.DialOptions{
		HTTPHeader: http.Header{"X-API-Key": {key}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	hear(ctx, t, conn, "hello")
	short := download(ctx, t, h, key, "lines=3&every=300ms") // under way, and soon done
	endless := download(ctx, t, h, key, "lines=1000000&every=100ms")
	awaitHeld(t, h, 2) // the socket and the endless download

	short2 := download(ctx, t, h, key, "lines=3&every=300ms")
	stopped := make(chan error, 1)
	go func() { stopped <- h.Stop() }()

	if _, _, err := conn.Read(ctx); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the socket ended with %v, want close code 1001", err)
	}
	for name, res := range map[string]*http.Response{"before": short, "during": short2} {
		body, err := io.ReadAll(res.Body)
		if err != nil || strings.Count(string(body), "\n") != 3 {
			t.Errorf("the short download begun %s the stop: %q, %v; want it whole", name, body, err)
		}
	}
	if _, err := io.Copy(io.Discard, endless.Body); err == nil {
		t.Error("the endless download that was cut looks whole")
	}
	if err := <-stopped; err != nil {
		t.Errorf("stop: %v", err)
	}
}

func download(ctx context.Context, t *testing.T, h *apptest.House, key, query string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.Gate+"/files/x?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-Key", key)
	res, err := downloads.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != http.StatusOK {
		t.Fatalf("download: %s", res.Status)
	}
	return res
}
