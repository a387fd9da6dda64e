package app_test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"gatehouse.dev/client/acqueon"
	"gatehouse.dev/internal/app/apptest"
	"gatehouse.dev/internal/bus"
	"gatehouse.dev/internal/bus/nats"
	"gatehouse.dev/internal/bus/nats/natstest"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/store/pgtest"
)

// acrossNodes is what is promised between nodes.
const acrossNodes = time.Second * slack

// startNodes starts two nodes on one bus and one database, which each may reach
// in its own way.
func startNodes(t *testing.T, database [2]string, bus string, o apptest.Options) (a, b *apptest.House) {
	t.Helper()
	o.Dialects += plainAcqueon
	o.Extra += "\nbus: {nats: {urls: ['" + bus + "']}}\n"
	one, two := o, o
	one.Node, one.Dir, one.Database = "a", t.TempDir(), database[0]
	a = startShop(t, one)
	two.Node, two.Dir, two.Database = "b", t.TempDir(), database[1]
	key, err := os.ReadFile(filepath.Join(one.Dir, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(two.Dir, "master.key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	return a, startShop(t, two)
}

// TestNodes: what happens at one node is felt at the other. They look for news by
// themselves so rarely that it must be the nudges.
func TestNodes(t *testing.T) {
	t.Parallel()
	database, hub := pgtest.Blank(t), natstest.Start(t)
	a, b := startNodes(t, [2]string{database, database}, hub.URL(), apptest.Options{Extra: "revocation: {poll: 10s, lease: 60s}"})
	client := a.Admin.Client(t, "wall", "acqueon/viewer", "fieldpine/shop", "feed/publisher", "ayyeka/operator")
	pair, key := a.Admin.Credential(t, client, "key_pair", ""), a.Admin.Credential(t, client, "api_key", "")

	for _, h := range []*apptest.House{a, b} {
		if _, body := get(t, h.OpsClient(), "http://ops/readyz"); !strings.Contains(body, `{"name":"bus","ok":true,"note":true`) {
			t.Errorf("readyz does not show the bus: %s", body)
		}
	}

	// A report published at a reaches who watches at b.
	wall := watchBoard(t.Context(), b, acqueon.APIKey(pair.Key, pair.Secret))
	wall.report(t, "LineReport")
	publishLine(t, a, key.Secret, "1", "Ada")
	for {
		if r := wall.report(t, "LineReport"); strings.Contains(string(r.Data), "Ada") {
			break
		}
	}

	// What is revoked at a ends at b, and the receipt says so. Nodes are told over
	// the bus, and by the database when there is no bus.
	nudges := make(chan struct{}, 100)
	onBus, err := nats.New(nats.Options{URLs: []string{hub.URL()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(onBus.Close)
	t.Cleanup(onBus.Subscribe(revocation.Subject, func(bus.Message) { nudges <- struct{}{} }))
	spare := a.Admin.Credential(t, client, "api_key", "")
	revokedAtOther(t, a, b, key)
	select {
	case <-nudges:
	case <-time.After(10 * time.Second):
		t.Error("nothing was said on the bus")
	}
	hub.Down()
	revokedAtOther(t, a, b, spare)
}

// revokedAtOther revokes a key at a that holds a socket at b.
func revokedAtOther(t *testing.T, a, b *apptest.House, key apptest.Credential) {
	t.Helper()
	till := dialShop(t, b, key.Secret)
	watch := startWatch(t)
	receipt := a.Admin.Revoke(t, key.ID)
	<-till.Done()
	if took, limit := time.Since(watch.began), watch.limit(t, acrossNodes); took > limit {
		t.Errorf("ended after %v; the limit is %v", took, limit)
	}
	if got := websocket.CloseStatus(till.Err()); got != websocket.StatusPolicyViolation {
		t.Errorf("ended with %v, want 1008", till.Err())
	}
	closed := map[string]int{}
	for _, n := range receipt.Nodes {
		closed[n.Node] = n.SocketsClosed
	}
	if n, ok := closed["a"]; !ok || n != 0 || closed["b"] != 1 || len(closed) != 2 || len(receipt.Unreached) > 0 {
		t.Errorf("receipt: %+v, want both nodes, and the one socket at b", receipt)
	}
}

// publishLine sends one row of LineReport.
func publishLine(t *testing.T, h *apptest.House, key, row, agent string) {
	t.Helper()
	if status, body := tryLine(t, h, key, row, agent); status != http.StatusOK && status != http.StatusNoContent {
		t.Fatalf("publish a row: %d %s", status, body)
	}
}

func tryLine(t *testing.T, h *apptest.House, key, row, agent string) (int, string) {
	t.Helper()
	body := bytes.NewReader([]byte(`{"LineID":"` + row + `","AgentName":"` + agent + `"}`))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, h.Gate+"/-/feeds/metrics/reports/LineReport/rows/"+row, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-Key", key)
	req.Header.Set("Content-Type", "application/json")
	return do(t, http.DefaultClient, req)
}
