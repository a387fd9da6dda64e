package revocation

import "sync"

// table is what this node has applied of the log: for each ground the last
// number that took it away. It keeps a bounded number of grounds; beliefs from
// before the oldest one kept are no longer confirmed.
type table struct {
	keep int

	mu    sync.RWMutex
	ready bool // false until the log was read for the first time
	at    Position
	floor int64 // beliefs older than this are not confirmed
	last  map[Ground]int64
	order []mark // of what is in last, the oldest first; may hold outdated marks
}

type mark struct {
	n int64
	g Ground
}

// position is the last number applied.
func (t *table) position() Position {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.at
}

// intact reports whether none of the grounds was taken away after asOf.
func (t *table) intact(grounds []Ground, asOf Position) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if !t.ready || asOf.Incarnation != t.at.Incarnation || asOf.N < t.floor {
		return false
	}
	if asOf.N == t.at.N {
		return true // nothing was taken away since, from anybody
	}
	for _, g := range grounds {
		if t.last[g] > asOf.N {
			return false
		}
	}
	return true
}

// apply adds the entries and moves on to the last of them, in one step for all
// readers.
func (t *table) apply(entries []Entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range entries {
		for _, g := range e.Grounds {
			t.last[g] = e.N
			t.order = append(t.order, mark{e.N, g})
		}
		t.at.N = e.N
	}
	t.prune()
}

// prune forgets the oldest grounds. The floor rises to their number: whoever
// stood before it might have missed one of them.
func (t *table) prune() {
	for len(t.order) > t.keep {
		m := t.order[0]
		t.order = t.order[1:]
		if t.last[m.g] == m.n {
			delete(t.last, m.g)
			t.floor = max(t.floor, m.n)
		}
	}
}

// reset forgets everything and stands at p: no earlier belief is confirmed.
func (t *table) reset(p Position) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ready = true
	t.at, t.floor = p, p.N
	t.last = make(map[Ground]int64)
	t.order = nil
}
