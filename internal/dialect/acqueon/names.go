package acqueon

import (
	"context"
	"errors"
	"sync"
)

// ErrNameTaken means that another conn bears the name, and keeps it.
var ErrNameTaken = errors.New("the connection name is in use")

// Names sees to it that a connection name is borne by one conn at a time.
type Names interface {
	// Claim takes a tenant's name for b. When another conn bears it, replace is
	// asked whether that one, given by its owner, is to make room; if so, its
	// Replaced is called. The error is ErrNameTaken when it is not. The name is
	// free again when release is called, which is to be called once.
	Claim(ctx context.Context, tenant, name string, b Bearer, replace func(owner string) bool) (release func(), err error)
}

// Bearer is a conn that bears a name.
type Bearer struct {
	Owner    string // credential, or principal where there is none
	Replaced func() // must not block
}

// localNames are unique on this node.
type localNames struct {
	mu      sync.Mutex
	bearers map[nameKey]*Bearer
}

type nameKey struct{ tenant, name string }

// NewNames returns names that are unique on this node.
func NewNames() Names { return &localNames{bearers: make(map[nameKey]*Bearer)} }

func (n *localNames) Claim(_ context.Context, tenant, name string, b Bearer, replace func(string) bool) (func(), error) {
	k := nameKey{tenant, name}
	n.mu.Lock()
	old := n.bearers[k]
	if old != nil && !replace(old.Owner) {
		n.mu.Unlock()
		return nil, ErrNameTaken
	}
	n.bearers[k] = &b
	n.mu.Unlock()
	if old != nil {
		old.Replaced()
	}
	return func() { n.release(k, &b) }, nil
}

// release frees the name, unless somebody has taken it over.
func (n *localNames) release(k nameKey, b *Bearer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.bearers[k] == b {
		delete(n.bearers, k)
	}
}
