package policy

import (
	"hash/maphash"
	"sync/atomic"
	"unsafe"

	"gatehouse.dev/internal/identity"
)

// Two memories keep repeated decisions cheap. Neither can be stale: a subject
// belongs to one identity and one compiled set, both of which never change, and
// is found only by the very same two.

// subjects remembers what identities look like to the rules. It is a table of
// fixed size in which a newcomer replaces somebody of its row, so it needs no
// lock, no clock and no sweeper.
type subjects struct {
	seed maphash.Seed
	rows [1 << 13][4]atomic.Pointer[subject]
}

func (t *subjects) of(id *identity.Identity, c *compiled) *subject {
	hash := maphash.Comparable(t.seed, id)
	row := &t.rows[hash%uint64(len(t.rows))]
	place := -1
	for i := range row {
		switch s := row[i].Load(); {
		case s == nil:
			if place < 0 {
				place = i
			}
		case s.identity == id:
			if s.rules == c {
				return s
			}
			place = i
		}
	}
	if place < 0 {
		place = int(hash >> 62)
	}
	s := c.subject(id)
	row[place].Store(s)
	return s
}

// question is all that a rememberable decision depends on, for one subject.
type question struct {
	action   *action
	typ, id  string
	roles    *string // where the resource's list of roles begins
	numRoles int
}

// key says under what a decision can be remembered, and whether it can: only
// when no rule looks at anything that is not in the key.
func (s *subject) key(a *action, r *Request) (question, bool) {
	n := a.owner.needs
	if s.identity.Scopes != nil {
		n = n.or(a.scope.needs)
		n.resource = n.resource || s.identity.Only != nil
	}
	q := question{action: a, typ: r.Resource.Type}
	if n.context || s.bound {
		return q, false
	}
	if n.resource || s.placed {
		if len(r.Resource.Attrs) > 0 || len(r.Resource.Parents) > 0 {
			return q, false
		}
		q.id = r.Resource.ID
	}
	if n.resource || n.roles {
		q.roles, q.numRoles = unsafe.SliceData(r.Resource.Roles), len(r.Resource.Roles)
		if r.Resource.Roles == nil {
			q.numRoles = -1
		}
	}
	return q, true
}

// memo holds the last few decisions of a subject, newest over oldest.
type memo struct {
	next  atomic.Uint32
	slots [memoSize]atomic.Pointer[answer]
}

const memoSize = 8

type answer struct {
	question
	decision *Decision
}

func (m *memo) get(q question) (*Decision, bool) {
	for i := range m.slots {
		a := m.slots[i].Load()
		if a == nil {
			return nil, false
		}
		if a.question == q {
			return a.decision, true
		}
	}
	return nil, false
}

func (m *memo) put(q question, d *Decision) {
	i := m.next.Add(1) - 1
	m.slots[i%memoSize].Store(&answer{q, d})
}
