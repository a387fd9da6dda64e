package fieldpine

import "sync/atomic"

// counter counts up to a limit.
type counter struct {
	n     atomic.Int64
	limit int64
}

// enter reports whether there was room; who was let in must leave.
func (c *counter) enter() bool {
	if c.n.Add(1) > c.limit {
		c.n.Add(-1)
		return false
	}
	return true
}

func (c *counter) leave() { c.n.Add(-1) }
