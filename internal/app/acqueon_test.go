package app_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"gatehouse.dev/client/acqueon"
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
	b := &board{reports: make(chan acqueon.Report, 100), ended: make(chan error, 1)}
	client := &acqueon.Client{URL: socketURL(h), User: "wallboard", Credential: c, Zone: time.UTC}
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
