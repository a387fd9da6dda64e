package app_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"gatehouse.dev/client/acqueon"
	"gatehouse.dev/internal/app/apptest"
)

// TestAcqueonUsers takes the user of an open dashboard off the list of its key,
// and of a token that rests on it: both sockets end within the promise, and that
// of a user who stays on the list does not.
func TestAcqueonUsers(t *testing.T) {
	t.Parallel()
	h := apptest.Start(t, apptest.Options{Dialects: plainAcqueon})
	pair := h.Admin.Credential(t, h.Admin.Client(t, "wall", "acqueon/viewer"), "key_pair", "")
	var token struct{ Token string }
	h.Admin.Post(t, "/v1/tokens", map[string]any{"credential": pair.ID, "scopes": []string{"performance-metrics"}}, &token)
	list := func(users ...string) (r apptest.Receipt) {
		if _, err := h.Admin.Call(t.Context(), http.MethodPatch, "/v1/credentials/"+pair.ID,
			map[string]any{"constraints": map[string]any{"users": users}}, &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	list("wallboard", "lobby")
	b := watchBoard(t.Context(), h, acqueon.APIKey(pair.Key, pair.Secret))
	b.report(t, "LineReport")
	byToken, _ := dialRaw(t, h, "/AEConsole", "PerformanceMetrics_wallboard", token.Token, nil)
	lobby, _ := dialRaw(t, h, "/AEConsole", "PerformanceMetrics_LOBBY", token.Token, nil)
	for _, c := range []*websocket.Conn{byToken, lobby} {
		if text, err := first(t, c); err != nil || !strings.Contains(text, "OpenID") {
			t.Fatalf("%s, %v", text, err)
		}
	}

	watch := startWatch(t)
	if r := list("lobby"); r.Closed() != 2 {
		t.Errorf("the receipt counts %d closed, want 2", r.Closed())
	}
	if code, err := b.end(t); code != websocket.StatusPolicyViolation || !strings.Contains(err.Error(), "credential no longer valid") {
		t.Errorf("ended with %v, want 1008 credential no longer valid", err)
	}
	if _, err := first(t, byToken); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("the token's ended with %v", err)
	}
	if took, limit := time.Since(watch.began), watch.limit(t, promise); took > limit {
		t.Errorf("ended after %v; the limit is %v", took, limit)
	}
	if _, err := watchBoard(t.Context(), h, acqueon.APIKey(pair.Key, pair.Secret)).end(t); err != acqueon.ErrRefused {
		t.Errorf("again: %v, want %v", err, acqueon.ErrRefused)
	}
	var open struct{ Items []struct{} }
	if _, err := h.Admin.Call(t.Context(), http.MethodGet, "/v1/conns?dialect=acqueon", nil, &open); err != nil || len(open.Items) != 1 {
		t.Errorf("%d sockets are open, want that of the lobby: %v", len(open.Items), err)
	}
}

// TestAcqueonFreshSet replaces the pair of open dashboards: at the end of the
// overlap those of the old one end, and at once without an overlap.
func TestAcqueonFreshSet(t *testing.T) {
	t.Parallel()
	h := apptest.Start(t, apptest.Options{Dialects: plainAcqueon})
	old := h.Admin.Credential(t, h.Admin.Client(t, "wall", "acqueon/viewer"), "key_pair", "")
	type set struct {
		Credential struct{ ID, Key string }
		Secret     string
		Ends       time.Time `json:"old_ends"`
		apptest.Receipt
	}
	replace := func(id, overlap string) (s set) {
		h.Admin.Post(t, "/v1/credentials/"+id+"/replace", map[string]any{"overlap": overlap}, &s)
		return s
	}
	b := watchBoard(t.Context(), h, acqueon.APIKey(old.Key, old.Secret))
	b.report(t, "LineReport")
	next := replace(old.ID, "2s")
	if next.Credential.Key == old.Key || next.Secret == old.Secret || next.Closed() != 0 {
		t.Errorf("the fresh set is %+v", next)
	}
	// Both work during the overlap.
	watchBoardAs(t.Context(), h, "second", acqueon.APIKey(old.Key, old.Secret)).report(t, "LineReport")
	fresh := watchBoardAs(t.Context(), h, "fresh", acqueon.APIKey(next.Credential.Key, next.Secret))
	fresh.report(t, "LineReport")

	code, err := b.end(t)
	if late := time.Since(next.Ends); code != websocket.StatusPolicyViolation || late < -time.Second || late > time.Second*slack {
		t.Errorf("the old one ended with %v, %v after the overlap", err, late)
	}
	time.Sleep(time.Until(next.Ends) + 10*time.Millisecond) // sockets end by ticks, which may come early
	if _, err := watchBoard(t.Context(), h, acqueon.APIKey(old.Key, old.Secret)).end(t); err != acqueon.ErrRefused {
		t.Errorf("the old set after the overlap: %v, want %v", err, acqueon.ErrRefused)
	}

	if r := replace(next.Credential.ID, "0s"); r.Closed() != 1 {
		t.Errorf("without overlap the receipt counts %d closed, want 1", r.Closed())
	}
	if code, err := fresh.end(t); code != websocket.StatusPolicyViolation {
		t.Errorf("ended with %v", err)
	}
}
