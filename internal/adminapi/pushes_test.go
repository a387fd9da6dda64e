package adminapi_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/push"
)

// ear is a socket of a principal that takes everything meant for it.
type ear struct {
	principal string
	mu        sync.Mutex
	heard     []string
}

func (e *ear) Packet(p *push.Packet) bool {
	return (p.To.All || p.To.Principal == e.principal) && e.hear(p.Action+string(p.Values))
}

func (e *ear) Event(v *push.Event) bool { return e.hear(v.Name + " " + v.Schema + string(v.Values)) }

func (e *ear) hear(s string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = append(e.heard, s)
	return true
}

func (e *ear) last() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.heard) == 0 {
		return ""
	}
	return e.heard[len(e.heard)-1]
}

func TestPush(t *testing.T) {
	t.Parallel()
	in, root := setup(t)
	ada, acme := in.User(in.Default, "ada"), in.Tenant("acme")
	hers, theirs := &ear{principal: ada.ID}, &ear{principal: ada.ID}
	in.Hub.Join(in.Default.ID, hers)
	in.Hub.Join(acme.ID, theirs)

	r := root.do("POST", "/v1/pushes", m{"to": m{"principal": ada.ID}, "a": "fn1.shop.open", "v": m{"n": 12345678901234567}}).want(200)
	if r.at("sockets").(float64) != 1 || r.text_("nodes.0.node") != "node-1" {
		t.Errorf("delivery: %s", r.text)
	}
	if got := hers.last(); got != `fn1.shop.open{"n":12345678901234567}` {
		t.Errorf("heard %q", got)
	}
	r = root.do("POST", "/v1/events", m{"event": "device.event", "sc": "device.scale.reading", "v": json.RawMessage(`{"kg":2.50}`)}).want(200)
	if got := hers.last(); r.at("sockets").(float64) != 1 || got != `device.event device.scale.reading{"kg":2.50}` {
		t.Errorf("heard %q, delivery %s", got, r.text)
	}
	if theirs.last() != "" {
		t.Errorf("a socket of another tenant heard %q", theirs.last())
	}
	root.do("POST", "/v1/pushes?tenant=acme", m{"to": m{"all": true}, "a": "fn1.shop.open"}).want(200)
	if theirs.last() != "fn1.shop.open" || hers.last() == "fn1.shop.open" {
		t.Errorf("acme heard %q, default %q", theirs.last(), hers.last())
	}
}

// Who sent what to whom is in the audit record, and what it said is not.
func TestPushRecorded(t *testing.T) {
	t.Parallel()
	in, root := setup(t)
	ada := in.User(in.Default, "ada")
	in.Hub.Join(in.Default.ID, &ear{principal: ada.ID})
	self := root.do("GET", "/v1/self", nil).text_("principal")
	root.do("POST", "/v1/pushes", m{"to": m{"principal": ada.ID}, "a": "fn1.shop.open", "v": m{"n": "content-of-it"}}).want(200)
	root.do("POST", "/v1/pushes", m{"to": m{}, "a": "fn1.shop.open", "v": m{"n": "content-of-it"}}).want(422)
	root.do("POST", "/v1/events", m{"event": "device.event", "sc": "device.scale", "v": m{"n": "content-of-it"}}).want(200)
	recorded := func(action string, n int) []any {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			r := root.do("GET", "/v1/audit?order=oldest&action="+action, nil).want(200)
			if strings.Contains(r.text, "content-of-it") {
				t.Fatalf("the record has what was said: %s", r.text)
			}
			if items := r.at("items").([]any); len(items) == n {
				return items
			}
		}
		t.Fatalf("%s is not in the record", action)
		return nil
	}
	event := recorded("event.publish", 1)[0].(m)
	pushes := recorded("push.send", 2)
	got := []any{
		event["actor"], event["target"], event["outcome"], event["detail"],
		pushes[0].(m)["actor"], pushes[0].(m)["target"], pushes[0].(m)["outcome"], pushes[0].(m)["detail"],
		pushes[1].(m)["actor"], pushes[1].(m)["outcome"], pushes[1].(m)["reason"],
	}
	want := []any{
		self, in.Default.ID, "ok", m{"event": "device.event", "schema": "device.scale", "sockets": "1"},
		self, ada.ID, "ok", m{"action": "fn1.shop.open", "sockets": "1"},
		self, "refused", "not a message that can be sent",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPushRefused(t *testing.T) {
	t.Parallel()
	in, root := setup(t)
	ada, acme := in.User(in.Default, "ada"), in.Tenant("acme")
	hers := &ear{principal: ada.ID}
	in.Hub.Join(in.Default.ID, hers)
	for name, c := range map[string]struct {
		path   string
		body   m
		status int
	}{
		"a request":            {"/v1/pushes", m{"to": m{"all": true}, "a": "fd1.session.login"}, 422},
		"no target":            {"/v1/pushes", m{"to": m{}, "a": "fn1.a.b"}, 422},
		"two targets":          {"/v1/pushes", m{"to": m{"all": true, "conn": "con_1"}, "a": "fn1.a.b"}, 422},
		"values are no object": {"/v1/pushes", m{"to": m{"all": true}, "a": "fn1.a.b", "v": []int{1}}, 422},
		"nobody":               {"/v1/pushes", m{"to": m{"principal": "usr_nobody"}, "a": "fn1.a.b"}, 404},
		"another's":            {"/v1/pushes?tenant=acme", m{"to": m{"principal": ada.ID}, "a": "fn1.a.b"}, 404},
		"event without name":   {"/v1/events", m{"event": "", "v": m{}}, 422},
	} {
		if r := root.do("POST", c.path, c.body); r.status != c.status {
			t.Errorf("%s: %d %s, want %d", name, r.status, r.text, c.status)
		}
	}
	nobody := root.with(in.Key(in.User(in.Default, "nobody")).Text)
	nobody.do("POST", "/v1/pushes", m{"to": m{"all": true}, "a": "fn1.a.b"}).want(403)
	nobody.do("POST", "/v1/events", m{"event": "a.b", "v": m{}}).want(403)
	of := root.with(in.Admin(acme, "chief", "gatehouse/administrator"))
	of.do("POST", "/v1/pushes?tenant=default", m{"to": m{"all": true}, "a": "fn1.a.b"}).want(401) // his key is found in his tenant alone
	if hers.last() != "" {
		t.Errorf("a refused message was heard: %q", hers.last())
	}
}
