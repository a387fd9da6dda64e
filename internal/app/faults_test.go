package app_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"gatehouse.dev/client/acqueon"
	"gatehouse.dev/internal/app/apptest"
	"gatehouse.dev/internal/bus/nats/natstest"
	"gatehouse.dev/internal/store/pgtest"
)

// Times of the nodes in TestFaults: the program's own are 30, 30 and 10 s.
const (
	faultLease  = 6 * time.Second
	faultGrace  = time.Second
	faultSpread = 2 * time.Second
)

// faults is two nodes with a thousand sockets, and what can be taken from them.
type faults struct {
	hub  *natstest.Server
	pg   *pgtest.Private
	link *link // of node a to the database
	a, b *apptest.House
	pair apptest.Credential // of Acqueon
	key  apptest.Credential // of everything else
	herd *herd
}

// TestFaults takes the bus and the database away from two nodes with a thousand
// sockets, and brings them back. Within the lease nobody notices; after it nodes
// refuse and let their sockets go, a few at a time; and what was revoked
// meanwhile is gone in the end. Nothing stays behind of all that.
func TestFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("opens thousands of sockets and waits for leases")
	}
	hub, pg := natstest.Start(t), pgtest.NewPrivate(t)
	f := &faults{hub: hub, pg: pg, link: newLink(t, pg.Dir())}
	f.a, f.b = startNodes(t, [2]string{f.link.url(), pg.URL()}, hub.URL(), apptest.Options{
		Grace: faultGrace, Spread: faultSpread, Extra: "revocation: {lease: " + faultLease.String() + "}",
	})
	client := f.client(t, "crowd")
	f.pair, f.key = f.a.Admin.Credential(t, client, "key_pair", ""), f.a.Admin.Credential(t, client, "api_key", "")
	f.herd = newHerd(t)

	f.fill(t) // once, so that what is made for good is there when it is counted
	f.empty(t)
	before := count()
	f.fill(t)
	t.Run("Bus", f.busAway)
	t.Run("Database", f.databaseAway)
	t.Run("OneNodeCutOff", f.oneNodeCutOff)
	t.Run("DatabaseForLong", f.databaseAwayForLong)
	f.empty(t)
	before.compare(t)
}

const atA, atB = 600, 400

// fill opens the thousand sockets.
func (f *faults) fill(t *testing.T) {
	t.Helper()
	f.herd.open(t, f.a.Gate, echoes(f.key.Secret), 400)
	f.herd.open(t, f.b.Gate, echoes(f.key.Secret), 250)
	f.herd.open(t, f.a.Gate, tills(f.key.Secret), 150)
	f.herd.open(t, f.b.Gate, tills(f.key.Secret), 100)
	f.herd.open(t, f.a.Gate, boards(f.pair, "a"), 50)
	f.herd.open(t, f.b.Gate, boards(f.pair, "b"), 50)
	awaitHeld(t, f.a, atA)
	awaitHeld(t, f.b, atB)
}

func (f *faults) empty(t *testing.T) {
	t.Helper()
	f.herd.letGo()
	awaitHeld(t, f.a, 0)
	awaitHeld(t, f.b, 0)
}

func (f *faults) client(t *testing.T, name string) string {
	return f.a.Admin.Client(t, name, "acqueon/viewer", "fieldpine/shop", "feed/publisher", "ayyeka/operator")
}

// works checks that both nodes serve those they know, on all roads.
func (f *faults) works(t *testing.T, when string) {
	t.Helper()
	for _, h := range []*apptest.House{f.a, f.b} {
		wantStatus(t, h, withKey(f.key.Secret), http.StatusOK)
		if !echoed(t, h, f.key.Secret) {
			t.Errorf("%s: a new socket passes nothing", when)
		}
	}
	f.herd.undisturbed(t, when)
}

// busAway: without NATS each node goes on alone, and revocations arrive all the
// same.
func (f *faults) busAway(t *testing.T) {
	victim := f.a.Admin.Credential(t, f.client(t, "victim-1"), "api_key", "")
	walls := [2]*board{}
	for i, h := range []*apptest.House{f.a, f.b} {
		walls[i] = watchBoard(t.Context(), h, acqueon.APIKey(f.pair.Key, f.pair.Secret))
		walls[i].report(t, "LineReport")
	}
	f.hub.Down()
	awaitBus(t, f.a, false)
	awaitBus(t, f.b, false)
	f.works(t, "without the bus")
	revokedAtOther(t, f.a, f.b, victim)
	publishLine(t, f.a, f.key.Secret, "1", "Alone")
	walls[0].line(t, "Alone")

	f.hub.Up(t)
	awaitBus(t, f.a, true)
	awaitBus(t, f.b, true)
	publishLine(t, f.a, f.key.Secret, "2", "Together")
	walls[1].line(t, "Together")
	f.works(t, "with the bus again")
}

// line waits until a row of LineReport has the agent.
func (b *board) line(t *testing.T, agent string) {
	t.Helper()
	for !strings.Contains(string(b.report(t, "LineReport").Data), agent) {
	}
}

func awaitBus(t *testing.T, h *apptest.House, there bool) {
	t.Helper()
	want := `{"name":"bus","ok":false`
	if there {
		want = `{"name":"bus","ok":true`
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		status, body := get(t, h.OpsClient(), "http://ops/readyz")
		if strings.Contains(body, want) {
			if status != http.StatusOK {
				t.Errorf("a bus that is there: %v; readyz: %d %s", there, status, body)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("readyz: %s, want %s", body, want)
		}
	}
}

// databaseAway: within the lease nobody who is known notices.
func (f *faults) databaseAway(t *testing.T) {
	f.pg.Down(t)
	for range 3 {
		for _, h := range []*apptest.House{f.a, f.b} {
			wantStatus(t, h, withKey(f.key.Secret), http.StatusOK)
		}
		time.Sleep(500 * time.Millisecond)
	}
	f.works(t, "with the database away")
	again := newHerd(t) // who is known may even come back
	again.open(t, f.a.Gate, tills(f.key.Secret), 10)
	again.open(t, f.b.Gate, boards(f.pair, "again"), 10)
	again.letGo()
	f.pg.Up(t)
	f.awaitDatabase(t)
	f.works(t, "with the database again")
}

// awaitDatabase returns once both nodes are ready.
func (f *faults) awaitDatabase(t *testing.T) {
	t.Helper()
	for _, h := range []*apptest.House{f.a, f.b} {
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			status, body := get(t, h.OpsClient(), "http://ops/readyz")
			if status == http.StatusOK {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("not ready again: %s", body)
			}
		}
	}
}

// oneNodeCutOff: what is revoked while a cannot read takes effect there as soon
// as it can, and the receipt says that a was not reached.
func (f *faults) oneNodeCutOff(t *testing.T) {
	victim := f.a.Admin.Credential(t, f.client(t, "victim-2"), "api_key", "")
	victims := newHerd(t)
	victims.open(t, f.a.Gate, tills(victim.Secret), 10)
	f.link.cut()
	receipt := f.b.Admin.Revoke(t, victim.ID)
	if len(receipt.Unreached) != 1 || receipt.Unreached[0] != "a" {
		t.Errorf("receipt: %+v, want that a was not reached", receipt)
	}
	victims.undisturbed(t, "cut off")
	f.link.mend()
	victims.awaitEnd(t, "1008", 10, 10*time.Second)
	f.awaitDatabase(t)
	f.works(t, "in touch again")
}

// databaseAwayForLong: past the lease nodes refuse, pass nothing, and let their
// sockets go, spread out; and all is well again when the database is.
func (f *faults) databaseAwayForLong(t *testing.T) {
	probe := dialEcho(t, f.a, f.key.Secret)
	f.pg.Down(t)
	down := time.Now()
	for _, h := range []*apptest.House{f.a, f.b} {
		awaitUnavailable(t, h, f.key.Secret)
	}
	if passes(t, probe, 200*time.Millisecond) {
		t.Error("a socket still passes messages past the lease")
	}
	first, last := f.herd.awaitEnd(t, "1013", atA+atB, 30*time.Second)
	if least := faultLease + faultGrace/2; first.Sub(down) < least {
		t.Errorf("the first socket ended after %v, want %v at least", first.Sub(down), least)
	}
	if over := last.Sub(first); over < faultSpread/2 {
		t.Errorf("all sockets ended within %v, want them spread over %v", over, faultSpread)
	}
	f.pg.Up(t)
	f.awaitDatabase(t)
	f.herd.letGo()
	awaitHeld(t, f.a, 0)
	awaitHeld(t, f.b, 0)
	f.fill(t)
	f.works(t, "after the long outage")
	revokedAtOther(t, f.a, f.b, f.a.Admin.Credential(t, f.client(t, "victim-3"), "api_key", ""))
}

// awaitUnavailable waits until a known caller is refused because the node cannot
// know any more.
func awaitUnavailable(t *testing.T, h *apptest.House, key string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.Gate+"/files/x?lines=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-API-Key", key)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		switch res.StatusCode {
		case http.StatusServiceUnavailable:
			if res.Header.Get("Retry-After") == "" {
				t.Error("503 without Retry-After")
			}
			return
		case http.StatusOK:
		default:
			t.Fatalf("status %d", res.StatusCode)
		}
	}
	t.Fatal("a known caller is still served long past the lease")
}

func dialEcho(t *testing.T, h *apptest.House, key string) *websocket.Conn {
	t.Helper()
	c, _, err := websocket.Dial(t.Context(), socketURL(h)+"/echo", &websocket.DialOptions{HTTPHeader: http.Header{"X-Api-Key": {key}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow() })
	return c
}

func echoed(t *testing.T, h *apptest.House, key string) bool {
	t.Helper()
	c := dialEcho(t, h, key)
	defer c.CloseNow()
	return passes(t, c, 20*time.Second)
}

// passes reports whether what is sent comes back in time. The socket cannot be
// used any more if not.
func passes(t *testing.T, c *websocket.Conn, patience time.Duration) bool {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	if err := c.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		return false
	}
	_, data, err := c.Read(ctx)
	return err == nil && string(data) == "hello"
}
