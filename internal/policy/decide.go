package policy

import (
	"fmt"
	"maps"
	"slices"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"gatehouse.dev/internal/identity"
)

// subject is an identity made ready for one tenant's rules.
type subject struct {
	identity *identity.Identity
	rules    *compiled
	held     []heldRole
	placed   bool // some role is held for a place only
	bound    bool // some role, or one that it includes, counts from somewhere only
	broken   string

	owner types.Entity // with the roles held everywhere
	token types.Entity // when the identity is scoped
	memo  memo
}

func (c *compiled) subject(id *identity.Identity) *subject {
	s := &subject{identity: id, rules: c}
	for _, r := range id.Roles {
		name, at, err := SplitRole(r)
		if err != nil {
			s.broken = err.Error()
			continue
		}
		s.held = append(s.held, heldRole{name, at})
		s.placed = s.placed || at != (Place{})
		s.bound = s.bound || c.bound.any(c.roles[name])
	}
	s.owner = c.ownerEntity(id, s.rolesFor(&Request{}, nowhere))
	if id.Scopes != nil {
		s.token = tokenEntity(id)
	}
	return s
}

func nowhere(Place) bool { return false }

// decide answers for the owner and for the scope.
func (s *subject) decide(r *Request) Decision {
	if s.broken != "" {
		return Decision{Errors: []string{s.broken}}
	}
	if why := malformed(r); why != "" {
		return Decision{Errors: []string{why}}
	}
	a := s.rules.action(r.Action)
	key, keep := s.key(a, r)
	if keep {
		if d, ok := s.memo.get(key); ok {
			return *d
		}
	}
	d := s.work(a, r)
	if keep {
		s.memo.put(key, &d)
	}
	return d
}

func (s *subject) work(a *action, r *Request) Decision {
	d := ask(s.ownerAt(r), a.entity, &a.owner, r)
	if s.identity.Scopes == nil || !d.Allowed {
		return d
	}
	narrow := ask(s.token, a.entity, &a.scope, r)
	return Decision{
		Allowed: narrow.Allowed,
		Reasons: slices.Concat(d.Reasons, narrow.Reasons),
		Errors:  narrow.Errors,
	}
}

// ask puts one question to Cedar. Cedar leaves out a policy that fails; we
// deny, because the one that failed may have been a forbid.
func ask(principal, act types.Entity, list *ruleList, r *Request) Decision {
	w := world{principal: principal, action: act, resource: resourceEntity(&r.Resource, list.needs)}
	answer, diag := cedar.Authorize(list.policies, &w, cedar.Request{
		Principal: principal.UID,
		Action:    act.UID,
		Resource:  w.resource.UID,
		Context:   contextRecord(r, list.needs),
	})
	d := Decision{Allowed: answer == cedar.Allow && len(diag.Errors) == 0}
	for _, reason := range diag.Reasons {
		d.Reasons = append(d.Reasons, string(reason.PolicyID))
	}
	for _, e := range diag.Errors {
		d.Errors = append(d.Errors, fmt.Sprintf("policy %s: %s", e.PolicyID, e.Message))
	}
	return d
}

// ownerAt is the owner with the roles it holds for where the resource is and
// where the request comes from.
func (s *subject) ownerAt(r *Request) types.Entity {
	if !s.placed && !s.bound {
		return s.owner
	}
	return s.rules.ownerEntity(s.identity, s.rolesAt(r))
}

func (s *subject) rolesAt(r *Request) []string {
	return s.rolesFor(r, func(at Place) bool {
		return at == Place{Type: r.Resource.Type, ID: r.Resource.ID} || slices.Contains(r.Resource.Parents, at)
	})
}

func (s *subject) rolesFor(r *Request, here func(Place) bool) []string {
	if !s.bound {
		return s.rules.roles.effective(s.held, here)
	}
	in := make(map[string]bool)
	for _, h := range s.held {
		if h.at == (Place{}) || here(h.at) {
			s.rules.bound.from(h.name, r, in)
		}
	}
	return slices.Sorted(maps.Keys(in))
}

// malformed says what no dialect should ask; it denies as any error does.
func malformed(r *Request) string {
	switch {
	case r.Action == "":
		return "no action"
	case !isTypeName(r.Resource.Type):
		return fmt.Sprintf("resource type %q is not an identifier", r.Resource.Type)
	case scopeType(types.EntityType(r.Resource.Type)) || r.Resource.Type == "Role":
		return fmt.Sprintf("resource type %q is taken", r.Resource.Type)
	}
	return ""
}
