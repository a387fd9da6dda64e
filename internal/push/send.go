package push

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"gatehouse.dev/internal/bus"
)

// Delivery says what was heard of a message.
type Delivery struct {
	Nodes     []Node
	Unreached []string // nodes that are alive and had not answered
}

// Node is the answer of one node.
type Node struct {
	Name    string
	Sockets int // that took the message
}

// answer is Node on its way.
type answer struct {
	ID      string `json:"id"`
	Node    string `json:"node"`
	Sockets int    `json:"sockets"`
}

// Send says a message to the sockets of a tenant, on all nodes. It returns what
// the nodes have answered, when all have or patience is over.
func (h *Hub) Send(ctx context.Context, tenant string, m Message) (Delivery, error) {
	if err := m.Check(); err != nil {
		return Delivery{}, err
	}
	waiting := h.alive(ctx)
	id, heard, err := h.publish(ctx, tenant, m)
	if err != nil {
		return Delivery{}, err
	}
	defer h.forget(id)
	return h.collect(ctx, heard, waiting), nil
}

// alive is whose answers are waited for. Without the database that is this
// node's own.
func (h *Hub) alive(ctx context.Context) map[string]bool {
	nodes := map[string]bool{h.o.Node: true}
	if h.o.Nodes == nil {
		return nodes
	}
	names, err := h.o.Nodes(ctx)
	if err != nil {
		h.o.Log.Warn("cannot list the nodes", "error", err)
	}
	for _, name := range names {
		nodes[name] = true
	}
	return nodes
}

func (h *Hub) collect(ctx context.Context, heard <-chan answer, waiting map[string]bool) Delivery {
	patience := time.NewTimer(h.o.Patience)
	defer patience.Stop()
	var d Delivery
	for over := false; len(waiting) > 0 && !over; {
		select {
		case a := <-heard:
			d.Nodes = append(d.Nodes, Node{Name: a.Node, Sockets: a.Sockets})
			delete(waiting, a.Node)
		case <-patience.C:
			over = true
		case <-ctx.Done():
			over = true
		}
	}
	for name := range waiting {
		d.Unreached = append(d.Unreached, name)
	}
	slices.Sort(d.Unreached)
	slices.SortFunc(d.Nodes, func(a, b Node) int { return cmp.Compare(a.Name, b.Name) })
	return d
}

// answered takes what a node says about a message of this one.
func (h *Hub) answered(m bus.Message) {
	var a answer
	if json.Unmarshal(m.Data, &a) != nil {
		return
	}
	h.mu.Lock()
	heard := h.asked[a.ID]
	h.mu.Unlock()
	if heard == nil {
		return // too late
	}
	select {
	case heard <- a:
	default: // so many nodes that nobody can say how many
	}
}
