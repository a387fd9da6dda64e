package policy

import (
	"sync/atomic"
	"unsafe"

	"gatehouse.dev/internal/identity"
)

// Two memories keep repeated decisions cheap. Neither can be stale: a subject
// belongs to one identity and one compiled set, both of which never change, and
// is used only for the very same two.

// of returns what id looks like to the rules; it is noted on id.
func (c *compiled) of(id *identity.Identity) *subject {
	s, ok := id.SubjectNote().Load().(*subject)
	if !ok || s.identity != id || s.rules != c {
		s = c.subject(id)
		id.SubjectNote().Keep(s)
	}
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
