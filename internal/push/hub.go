package push

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"gatehouse.dev/internal/bus"
	"gatehouse.dev/internal/id"
)

// Receiver is one socket. Its methods report whether the message was for it and
// it took it. They must not block, and must not call the Hub.
type Receiver interface {
	Packet(p *Packet) bool
	Event(e *Event) bool
}

// Options shape a Hub. Bus and Node are needed.
type Options struct {
	Bus  bus.Bus
	Node string
	// Nodes names the nodes that are alive; nil: there is only this one. When
	// all have answered, nobody waits any longer.
	Nodes func(ctx context.Context) ([]string, error)
	// Patience is how long answers are waited for: 500 ms.
	Patience time.Duration
	Log      *slog.Logger // discards
}

// Hub has the sockets of this node that backends can reach.
type Hub struct {
	o     Options
	close func()

	mu      sync.Mutex
	tenants map[string]*audience
	asked   map[string]chan answer // messages of this node that are on the bus
}

// audience is the sockets of one tenant.
type audience struct {
	unsubscribe func()
	receivers   map[Receiver]struct{}
}

// New makes a hub without sockets. Close it in the end.
func New(o Options) *Hub {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Patience <= 0 {
		o.Patience = 500 * time.Millisecond
	}
	h := &Hub{o: o, tenants: make(map[string]*audience), asked: make(map[string]chan answer)}
	h.close = o.Bus.Subscribe(answers(o.Node), h.answered)
	return h
}

// Close takes the hub off the bus.
func (h *Hub) Close() {
	h.close()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range h.tenants {
		a.unsubscribe()
	}
	clear(h.tenants)
}

// Tenant makes this node answer for a tenant, also while it has no socket of
// it.
func (h *Hub) Tenant(tenant string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.audience(tenant)
}

// audience finds or makes the one of a tenant. Call with mu held.
func (h *Hub) audience(tenant string) *audience {
	a := h.tenants[tenant]
	if a == nil {
		a = &audience{receivers: make(map[Receiver]struct{})}
		h.tenants[tenant] = a
		a.unsubscribe = h.o.Bus.Subscribe(subject(tenant), func(m bus.Message) { h.receive(tenant, m) })
	}
	return a
}

// Join lets messages of a tenant come to r, until Leave.
func (h *Hub) Join(tenant string, r Receiver) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.audience(tenant).receivers[r] = struct{}{}
}

// Leave undoes Join.
func (h *Hub) Leave(tenant string, r Receiver) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if a := h.tenants[tenant]; a != nil {
		delete(a.receivers, r)
	}
}

// Here delivers a packet to the sockets of this node alone, and returns how many
// took it. It is for what the node has to say about itself.
func (h *Hub) Here(tenant string, p *Packet) (taken int) {
	for _, r := range h.receivers(tenant) {
		if r.Packet(p) {
			taken++
		}
	}
	return taken
}

// subject spells a tenant in the letters that a bus allows.
func subject(tenant string) string { return "push." + hex.EncodeToString([]byte(tenant)) }

// answers is where the answers to a node's messages go.
func answers(node string) string { return "pushed." + hex.EncodeToString([]byte(node)) }

// envelope is a message on its way.
type envelope struct {
	ID      string  `json:"id"`
	From    string  `json:"from"` // node
	Message Message `json:"message"`
}

// receive delivers to the sockets of this node, and says how many took it.
func (h *Hub) receive(tenant string, m bus.Message) {
	if m.Lost > 0 {
		h.o.Log.Warn("messages for sockets were lost: there were too many at once", "tenant", tenant, "lost", m.Lost)
	}
	var e envelope
	err := json.Unmarshal(m.Data, &e)
	if err == nil {
		err = e.Message.Check()
	}
	if err != nil {
		h.o.Log.Warn("cannot read a message for sockets", "tenant", tenant, "error", err)
		return
	}
	a := answer{ID: e.ID, Node: h.o.Node}
	for _, r := range h.receivers(tenant) {
		if e.Message.deliver(r) {
			a.Sockets++
		}
	}
	data, err := json.Marshal(a)
	if err == nil {
		err = h.o.Bus.Publish(context.Background(), answers(e.From), data)
	}
	if err != nil {
		h.o.Log.Warn("cannot say how many sockets took a message", "error", err)
	}
}

func (m *Message) deliver(r Receiver) bool {
	if m.Packet != nil {
		return r.Packet(m.Packet)
	}
	return r.Event(m.Event)
}

// receivers is a copy: whoever is told something may leave for it.
func (h *Hub) receivers(tenant string) []Receiver {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := h.tenants[tenant]
	if a == nil {
		return nil
	}
	all := make([]Receiver, 0, len(a.receivers))
	for r := range a.receivers {
		all = append(all, r)
	}
	return all
}

// publish puts a message on the bus; the answers come through the channel.
func (h *Hub) publish(ctx context.Context, tenant string, m Message) (id string, _ <-chan answer, _ error) {
	e := envelope{ID: newID(), From: h.o.Node, Message: m}
	data, err := json.Marshal(e)
	if err != nil {
		return "", nil, fmt.Errorf("encode message: %w", err)
	}
	heard := make(chan answer, maxAnswers)
	h.mu.Lock()
	h.audience(tenant)
	h.asked[e.ID] = heard
	h.mu.Unlock()
	if err := h.o.Bus.Publish(ctx, subject(tenant), data); err != nil {
		h.forget(e.ID)
		return "", nil, fmt.Errorf("%w: %w", ErrBus, err)
	}
	return e.ID, heard, nil
}

// maxAnswers is how many nodes can answer before anybody listens.
const maxAnswers = 64

func newID() string { return id.New("psh") }

func (h *Hub) forget(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.asked, id)
}
