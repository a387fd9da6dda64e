package adminapi

import (
	"context"
	"fmt"
	"math"
	"sync"

	"gatehouse.dev/internal/revocation"
)

// Receipt says what a change has ended so far.
type Receipt struct {
	Change    int64         `json:"change" doc:"Number of the change in the revocation log; 0 when nothing had to be taken away"`
	Nodes     []NodeReceipt `json:"nodes" nullable:"false" doc:"Nodes that have reported"`
	Unreached []string      `json:"unreached" nullable:"false" doc:"Nodes that had not answered; the lease of 30 s bounds them"`
	More      string        `json:"more,omitempty" doc:"Where to ask for the rest"`
}

// NodeReceipt is the report of one node.
type NodeReceipt struct {
	Node          string  `json:"node"`
	SocketsClosed int     `json:"sockets_closed" doc:"Sockets and long requests that were ended"`
	MS            float64 `json:"ms" doc:"Milliseconds from the change to the end of the last one"`
}

type receiptOut struct{ Body Receipt }

// receipt waits, at most two seconds, for the nodes to report.
func (c *call) receipt(ctx context.Context, change int64) Receipt {
	if change == 0 {
		return receiptOf(revocation.Outcome{})
	}
	c.api.changes.note(change, c.tenant.ID)
	return receiptOf(c.api.Changes.Await(ctx, change))
}

func receiptOf(o revocation.Outcome) Receipt {
	r := Receipt{Change: o.Change, Nodes: []NodeReceipt{}, Unreached: []string{}}
	for _, n := range o.Nodes {
		ms := math.Round(float64(n.Took.Microseconds())) / 1000
		r.Nodes = append(r.Nodes, NodeReceipt{Node: n.Node, SocketsClosed: n.SocketsClosed, MS: ms})
	}
	r.Unreached = append(r.Unreached, o.Unreached...)
	if o.Change > 0 {
		r.More = fmt.Sprintf("%s/v1/changes/%d", Base, o.Change)
	}
	return r
}

// recent knows whose the latest changes were, so that an administrator of one
// tenant can ask for the rest of his own receipts and of no others.
type recent struct {
	mu     sync.Mutex
	tenant map[int64]string
	order  []int64
}

const maxRecent = 10_000

func newRecent() *recent { return &recent{tenant: make(map[int64]string)} }

func (r *recent) note(change int64, tenant string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, there := r.tenant[change]; !there {
		r.order = append(r.order, change)
	}
	r.tenant[change] = tenant
	if len(r.order) > maxRecent {
		delete(r.tenant, r.order[0])
		r.order = r.order[1:]
	}
}

func (r *recent) of(change int64) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tenant[change]
}
