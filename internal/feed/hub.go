package feed

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

// Bounds of the feeds of one node: a tenant's publishers name theirs, and feeds
// stay, so none may use up the places of the others.
const (
	MaxFeeds       = 4096 // of all tenants
	MaxTenantFeeds = 64   // of one tenant
)

// Options shape a Hub. Bus is needed.
type Options struct {
	Bus bus.Bus
	Log *slog.Logger     // discards
	Now func() time.Time // time.Now
}

// Hub has the feeds of all tenants on this node and keeps them in step with
// those of the other nodes. Which updates came first is settled by the bus: a
// node applies its own ones, too, when they come back from there.
type Hub struct {
	o Options

	mu       sync.Mutex
	feeds    map[key]*Feed
	ofTenant map[string]int // how many feeds a tenant has
	subs     map[key]func()
	acks     map[string]chan error // updates of this node that are on the bus
}

type key struct{ tenant, name string }

// NewHub makes a hub without feeds.
func NewHub(o Options) *Hub {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Hub{o: o, feeds: make(map[key]*Feed), ofTenant: make(map[string]int), subs: make(map[key]func()), acks: make(map[string]chan error)}
}

// Feed returns a tenant's feed, made when absent.
func (h *Hub) Feed(tenant, name string) (*Feed, error) {
	if !validName(tenant, maxName) || !validName(name, maxName) {
		return nil, ErrName
	}
	k := key{tenant, name}
	h.mu.Lock()
	defer h.mu.Unlock()
	if f := h.feeds[k]; f != nil {
		return f, nil
	}
	if len(h.feeds) >= MaxFeeds || h.ofTenant[tenant] >= MaxTenantFeeds {
		return nil, ErrMany
	}
	f := newFeed(h.o.Now)
	h.ofTenant[tenant]++
	h.feeds[k] = f
	h.subs[k] = h.o.Bus.Subscribe(subject(k), func(m bus.Message) { h.receive(f, m) })
	return f, nil
}

// subject spells tenant and name in the letters a bus allows.
func subject(k key) string {
	return "feed." + hex.EncodeToString([]byte(k.tenant)) + "." + hex.EncodeToString([]byte(k.name))
}

// envelope is an update on its way.
type envelope struct {
	ID     string `json:"id"`
	Update Update `json:"update"`
}

// ackTimeout is how long an update may be on the bus.
const ackTimeout = 5 * time.Second

// Update makes a change on every node. It returns when this one has applied it.
func (h *Hub) Update(ctx context.Context, tenant, name string, u Update) error {
	if err := u.Check(); err != nil {
		return err
	}
	if u.Kind == Whole { // told to the publisher, not found out by each node
		if _, err := parseReport(u.Content, u.KeyMember); err != nil {
			return err
		}
	}
	if _, err := h.Feed(tenant, name); err != nil {
		return err
	}
	e := envelope{ID: id.New("upd"), Update: u}
	data, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode update: %w", err)
	}
	return h.publish(ctx, key{tenant, name}, e.ID, data)
}

func (h *Hub) publish(ctx context.Context, k key, id string, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	ack := make(chan error, 1)
	h.mu.Lock()
	h.acks[id] = ack
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		delete(h.acks, id)
		h.mu.Unlock()
	}()
	if err := h.o.Bus.Publish(ctx, subject(k), data); err != nil {
		return fmt.Errorf("publish update: %w", err)
	}
	select {
	case err := <-ack:
		return err
	case <-ctx.Done():
		return fmt.Errorf("publish update: %w", context.Cause(ctx))
	}
}

func (h *Hub) receive(f *Feed, m bus.Message) {
	if m.Lost > 0 {
		h.o.Log.Warn("updates of a feed were lost; reports are as old as their next update", "lost", m.Lost)
	}
	var e envelope
	err := json.Unmarshal(m.Data, &e)
	if err == nil {
		err = e.Update.Check()
	}
	if err == nil {
		err = f.apply(e.Update)
	}
	h.mu.Lock()
	ack := h.acks[e.ID]
	h.mu.Unlock()
	if ack != nil {
		ack <- err
	} else if err != nil {
		h.o.Log.Warn("cannot apply an update of a feed", "error", err)
	}
}

// Run removes rows whose time has come, until ctx ends.
func (h *Hub) Run(ctx context.Context) {
	ticker := time.NewTicker(500 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for _, f := range h.all() {
			f.expire()
		}
	}
}

func (h *Hub) all() []*Feed {
	h.mu.Lock()
	defer h.mu.Unlock()
	feeds := make([]*Feed, 0, len(h.feeds))
	for _, f := range h.feeds {
		feeds = append(feeds, f)
	}
	return feeds
}
