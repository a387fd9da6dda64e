package push_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/bus/inproc"
	"gatehouse.dev/internal/push"
)

// ear is a socket of somebody, who listens to one kind of event.
type ear struct {
	conn, principal, event string

	mu    sync.Mutex
	heard []string
}

func (e *ear) Packet(p *push.Packet) bool {
	if !p.To.All && p.To.Conn != e.conn && p.To.Principal != e.principal {
		return false
	}
	return e.hear(p.Action + string(p.Values))
}

func (e *ear) Event(v *push.Event) bool {
	return v.Name == e.event && e.hear(v.Schema+string(v.Values))
}

func (e *ear) hear(s string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = append(e.heard, s)
	return true
}

func (e *ear) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.heard
}

// twoNodes are two hubs on one bus.
func twoNodes(t *testing.T) (a, b *push.Hub) {
	t.Helper()
	bus := inproc.New(0)
	t.Cleanup(bus.Close)
	nodes := func(context.Context) ([]string, error) { return []string{"a", "b"}, nil }
	a = push.New(push.Options{Bus: bus, Node: "a", Nodes: nodes})
	b = push.New(push.Options{Bus: bus, Node: "b", Nodes: nodes})
	t.Cleanup(a.Close)
	t.Cleanup(b.Close)
	for _, h := range []*push.Hub{a, b} {
		h.Tenant("ten_1")
	}
	return a, b
}

func packet(to push.Target) push.Message {
	return push.Message{Packet: &push.Packet{To: to, Action: "fn1.shop.open", Values: jsontext.Value(`{"n": 1}`)}}
}

func TestSendReachesEveryNode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		to   push.Target
		want []push.Node
	}{
		{"conn", push.Target{Conn: "con_2"}, []push.Node{{Name: "a"}, {Name: "b", Sockets: 1}}},
		{"principal", push.Target{Principal: "cli_1"}, []push.Node{{Name: "a", Sockets: 1}, {Name: "b", Sockets: 1}}},
		{"tenant", push.Target{All: true}, []push.Node{{Name: "a", Sockets: 2}, {Name: "b", Sockets: 1}}},
		{"nobody", push.Target{Principal: "cli_9"}, []push.Node{{Name: "a"}, {Name: "b"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a, b := twoNodes(t)
			foreign := &ear{conn: "con_4", principal: "cli_1"}
			a.Join("ten_1", &ear{conn: "con_1", principal: "cli_1"})
			a.Join("ten_1", &ear{conn: "con_3", principal: "cli_2"})
			b.Join("ten_1", &ear{conn: "con_2", principal: "cli_1"})
			b.Join("ten_2", foreign)
			got, err := a.Send(t.Context(), "ten_1", packet(c.to))
			if diff := cmp.Diff(push.Delivery{Nodes: c.want}, got); err != nil || diff != "" {
				t.Errorf("Send: %v\n%s", err, diff)
			}
			if len(foreign.all()) > 0 {
				t.Errorf("the socket of another tenant heard %q", foreign.all())
			}
		})
	}
}

func TestSendNamesWhoDidNotAnswer(t *testing.T) {
	t.Parallel()
	a, b := twoNodes(t)
	b.Close()
	got, err := a.Send(t.Context(), "ten_1", packet(push.Target{All: true}))
	want := push.Delivery{Nodes: []push.Node{{Name: "a"}}, Unreached: []string{"b"}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Send: %v\n%s", err, diff)
	}
}

func TestEventsAndLeave(t *testing.T) {
	t.Parallel()
	a, b := twoNodes(t)
	scale, other := &ear{event: "device.event"}, &ear{event: "sale.event"}
	b.Join("ten_1", scale)
	b.Join("ten_1", other)
	event := push.Message{Event: &push.Event{Name: "device.event", Schema: "device.scale.reading", Values: jsontext.Value(`{ "kg":2 }`)}}
	for range 2 {
		if _, err := a.Send(t.Context(), "ten_1", event); err != nil {
			t.Fatal(err)
		}
		b.Leave("ten_1", scale)
	}
	if diff := cmp.Diff([]string{`device.scale.reading{"kg":2}`}, scale.all()); diff != "" || len(other.all()) > 0 {
		t.Errorf("heard %s; others heard %q", diff, other.all())
	}
}

func TestHereStaysHere(t *testing.T) {
	t.Parallel()
	a, b := twoNodes(t)
	one, two, three := &ear{}, &ear{}, &ear{}
	a.Join("ten_1", one)
	a.Join("ten_1", two)
	b.Join("ten_1", three)
	if n := a.Here("ten_1", packet(push.Target{All: true}).Packet); n != 2 || len(three.all()) != 0 {
		t.Errorf("%d sockets took it, the other node's heard %q", n, three.all())
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	to, values := push.Target{All: true}, jsontext.Value(`{}`)
	for _, c := range []struct {
		name string
		m    push.Message
		want error
	}{
		{"nothing", push.Message{}, push.ErrContent},
		{"both", push.Message{Packet: &push.Packet{}, Event: &push.Event{}}, push.ErrContent},
		{"no target", push.Message{Packet: &push.Packet{Action: "fn1.a.b"}}, push.ErrTarget},
		{"two targets", push.Message{Packet: &push.Packet{To: push.Target{All: true, Conn: "con_1"}, Action: "fn1.a.b"}}, push.ErrTarget},
		{"request", push.Message{Packet: &push.Packet{To: to, Action: "fd1.session.login"}}, push.ErrAction},
		{"prefix only", push.Message{Packet: &push.Packet{To: to, Action: "fn1."}}, push.ErrAction},
		{"odd letters", push.Message{Packet: &push.Packet{To: to, Action: `fn1.a"`}}, push.ErrAction},
		{"no values", push.Message{Packet: &push.Packet{To: to, Action: "fn1.a.b"}}, nil},
		{"array", push.Message{Packet: &push.Packet{To: to, Action: "fn1.a.b", Values: jsontext.Value(`[]`)}}, push.ErrContent},
		{"twice", push.Message{Packet: &push.Packet{To: to, Action: "fn1.a.b", Values: jsontext.Value(`{"a":1,"a":2}`)}}, push.ErrContent},
		{"half", push.Message{Packet: &push.Packet{To: to, Action: "fn1.a.b", Values: jsontext.Value(`{"a":`)}}, push.ErrContent},
		{"large", push.Message{Packet: &push.Packet{To: to, Action: "fn1.a.b", Values: jsontext.Value(`{"a":"` + strings.Repeat("x", push.MaxContent) + `"}`)}}, push.ErrLarge},
		{"event", push.Message{Event: &push.Event{Name: "sale.create", Values: values}}, nil},
		{"event without values", push.Message{Event: &push.Event{Name: "sale.create"}}, push.ErrContent},
		{"wild schema", push.Message{Event: &push.Event{Name: "sale.create", Schema: "sale.*", Values: values}}, push.ErrEvent},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if err := c.m.Check(); !errors.Is(err, c.want) {
				t.Errorf("Check = %v, want %v", err, c.want)
			}
		})
	}
}

func TestEncodedOnce(t *testing.T) {
	t.Parallel()
	e, made := &push.Event{}, 0
	encode := func(*push.Event) []byte { made++; return []byte("x") }
	for range 3 {
		e.Encoded("form", encode)
	}
	if made != 1 {
		t.Errorf("encoded %d times", made)
	}
}
