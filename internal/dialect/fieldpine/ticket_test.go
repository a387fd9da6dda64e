package fieldpine

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/ticket"
)

// drawer keeps tickets in memory.
type drawer struct {
	mu   sync.Mutex
	kept map[string]ticket.Ticket
}

func (d *drawer) AddTicket(_ context.Context, t ticket.Ticket, life time.Duration) (time.Time, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t.Expires = time.Now().Add(life)
	d.kept[string(t.Digest)] = t
	return t.Expires, nil
}

func (d *drawer) UseTicket(_ context.Context, tenant string, digests [][]byte) (ticket.Ticket, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, digest := range digests {
		if t, ok := d.kept[string(digest)]; ok && t.Tenant == tenant {
			delete(d.kept, string(digest))
			return t, nil
		}
	}
	return ticket.Ticket{}, ticket.ErrUnknown
}

func (d *drawer) SweepTickets(context.Context, time.Time) (int64, error) { return 0, nil }

func newOffice(t *testing.T) *ticket.Office {
	t.Helper()
	d, err := secret.NewDigester(secret.LookupKey{Version: 1, Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	o, err := ticket.NewOffice(&drawer{kept: map[string]ticket.Ticket{}}, d)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// ticket asks for one and returns it with the status.
func (r *rig) ticket(t *testing.T, key, origin, body string) (string, int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.host+pathTicket, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Apikey", key)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if origin != "" {
		req.Header.Set("Origin", origin)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var made struct {
		Data struct {
			Ticket  string
			Expires int64
		}
	}
	if err := json.Unmarshal(text, &made); err != nil {
		t.Fatal(err)
	}
	if left := time.Until(time.Unix(made.Data.Expires, 0)); res.StatusCode == 200 && (left > time.Minute || left < 50*time.Second) {
		t.Errorf("a ticket of %v: %s", left, text)
	}
	return made.Data.Ticket, res.StatusCode
}

// open opens a socket with headers, and returns the status when there is none.
func (r *rig) open(t *testing.T, query string, header http.Header) (*client, int) {
	t.Helper()
	status := 0
	d := ws.Dialer{Header: ws.HandshakeHeaderHTTP(header), OnStatusError: func(code int, _ []byte, _ io.Reader) { status = code }}
	conn, br, _, err := d.Dial(t.Context(), "ws://"+r.host+pathSocket+query)
	if err != nil {
		if status == 0 {
			t.Fatal(err)
		}
		return nil, status
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(25 * time.Second))
	return newClient(conn, br), 101
}

func TestTicket(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{})
	made, status := r.ticket(t, "shop", "", "")
	if status != 200 {
		t.Fatalf("no ticket: %d", status)
	}
	c, _ := r.open(t, "?ticket="+made, http.Header{"Origin": {"https://shop.example"}})
	if c == nil {
		t.Fatal("the ticket opens nothing")
	}
	c.silent(t) // no unasked acknowledgement
	c.say(t, ask)
	c.want(t, `{"r":"fd1.products.list","rp":1,"data":{"rows":[{"pid":1},{"pid":2}]}}`)
	// A login adds to its scope.
	sale := `{"a":"fd1.sales.get_sale","rq":2,"k":"7741"}`
	c.say(t, sale)
	c.want(t, `{"r":"fd1.sales.get_sale","rp":2,"error":{"Code":403,"Message":"endpoint not permitted","Severity":"Error"}}`)
	c.say(t, asSale, sale)
	c.want(t, loginOK, `{"r":"fd1.sales.get_sale","rp":2,"data":{"ok":true}}`)
	if _, status := r.open(t, "?ticket="+made, nil); status != http.StatusForbidden {
		t.Errorf("used again: %d, want 403", status)
	}
	if _, status := r.open(t, "?ticket="+made+"&ticket="+made, nil); status != http.StatusForbidden {
		t.Errorf("two: %d, want 403", status)
	}
	r.door.mu.Lock()
	if diff := cmp.Diff([]string{"fieldpine/ticket: no such ticket", "fieldpine/ticket: several tickets"}, r.door.refused); diff != "" {
		t.Error("recorded:\n" + diff)
	}
	r.door.mu.Unlock()
	// What it gave goes with its maker's key, and the socket with the last login.
	<-r.door.revoke(1, "cre_shop")
	c.say(t, ask)
	c.want(t, `{"r":"fd1.products.list","rp":1,"error":{"Code":403,"Message":"endpoint not permitted","Severity":"Error"}}`)
	<-r.door.revoke(2, "cre_sale-7741")
	c.want(t, "close 1008 credential no longer valid")
}

func TestTicketRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{Origins: []string{"https://shop.example", "https://other.example"}})
	for _, c := range []struct {
		name, key, origin, body string
		want                    int
	}{
		{"wrong key", "wrong", "", "", 401},
		{"origin that may not", "shop", "https://evil.example", "", 403},
		{"origin that may not, in v", "shop", "", `{"v":{"origin":"https://evil.example"}}`, 403},
		{"two origins", "shop", "https://shop.example", `{"v":{"origin":"https://other.example"}}`, 403},
		{"another packet", "shop", "", `{"a":"fd1.session.login"}`, 400},
		{"its own", "shop", "", `{"a":"fd1.session.create_ticket","v":{"origin":"https://shop.example"}}`, 200},
	} {
		if _, status := r.ticket(t, c.key, c.origin, c.body); status != c.want {
			t.Errorf("%s: %d, want %d", c.name, status, c.want)
		}
	}
	made, _ := r.ticket(t, "shop", "https://shop.example", "")
	for i, origin := range []string{"https://other.example", "https://shop.example"} { // the first one uses it up
		if _, status := r.open(t, "?ticket="+made, http.Header{"Origin": {origin}}); status != http.StatusForbidden {
			t.Errorf("%d: as a page of %s: %d, want 403", i, origin, status)
		}
	}
	for _, query := range []string{"?ticket=", "?ticket=guess", fmt.Sprintf("?ticket=%s&ticket=%s", made, made)} {
		if _, status := r.open(t, query, nil); status != http.StatusForbidden {
			t.Errorf("%s: %d, want 403", query, status)
		}
	}
}

// The outer gate wants a header before the upgrade, and gives no right.
func TestOuter(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{Outer: OuterBearer})
	for name, header := range map[string]http.Header{
		"none":       nil,
		"wrong":      {"Authorization": {"Bearer ghk_wrong"}},
		"basic":      {"Authorization": {"Basic c3RhZmY6c3RhZmY="}},
		"two":        {"Authorization": {"Bearer ghk_staff", "Bearer ghk_staff"}},
		"no scheme":  {"Authorization": {"ghk_staff"}},
		"as the key": {"X-Apikey": {"ghk_staff"}},
	} {
		if _, status := r.open(t, "", header); status != http.StatusUnauthorized {
			t.Errorf("%s: %d, want 401", name, status)
		}
	}
	c, status := r.open(t, "", http.Header{"Authorization": {"Bearer ghk_staff"}})
	if c == nil {
		t.Fatalf("refused: %d", status)
	}
	c.say(t, ask) // nothing yet: it is no login
	c.silent(t)
	c.say(t, asShop, ask)
	c.want(t, loginOK, `{"r":"fd1.products.list","rp":1,"data":{"rows":[{"pid":1},{"pid":2}]}}`)
	r.door.revoke(1, "cre_ghk_staff")
	c.want(t, "close 1008 credential no longer valid")
}
