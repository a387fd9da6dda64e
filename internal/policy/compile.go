package policy

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"gatehouse.dev/internal/revocation"
)

// compiled is the rules of one tenant, ready to decide. It never changes,
// except that it remembers how it sorted itself by action.
type compiled struct {
	tenant  string
	version int64
	roles   hierarchy
	rules   []*rule // parts first, then the tenant's own, in the order of the text
	named   bool    // some rule looks at the principal's attributes
	bound   boundRoles

	asOf    revocation.Position
	grounds []revocation.Ground

	mu       sync.RWMutex
	actions  map[string]*action
	roleSets map[string]types.EntityUIDSet // by the role names, joined
}

// Bounds of what is remembered. A name that a request can make up must not
// fill the memory.
const (
	maxActions  = 4096
	maxRoleSets = 4096
)

// action is what the rules say about one action, sorted out beforehand.
type action struct {
	entity types.Entity
	owner  ruleList
	scope  ruleList
}

// ruleList is some rules and what they need together.
type ruleList struct {
	policies policyList
	needs    needs
}

// policyList is policies in a form that Cedar's Authorize takes.
type policyList []*rule

func (l policyList) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for _, r := range l {
			if !yield(cedar.PolicyID(r.id), r.policy) {
				return
			}
		}
	}
}

// part is a Part that has been read.
type part struct {
	Part
	rules []*rule
}

func readParts(parts []Part) ([]part, error) {
	out := make([]part, 0, len(parts))
	for _, p := range parts {
		rules, err := parse(p.Cedar, p.Name+"/")
		if err != nil {
			return nil, fmt.Errorf("policy part %s: %w", p.Name, err)
		}
		for _, r := range rules {
			if !strings.HasPrefix(r.id, p.Name+"/") {
				return nil, fmt.Errorf("policy part %s: id %q must begin with %q", p.Name, r.id, p.Name+"/")
			}
		}
		out = append(out, part{p, rules})
	}
	return out, nil
}

// compile puts the tenant's rules on top of the parts.
func compile(parts []part, s Set) (*compiled, error) {
	own, err := parse(s.Cedar, "policy")
	if err != nil {
		return nil, err
	}
	replaced := make(map[string]bool, len(own))
	for _, r := range own {
		if reserved(r.id) {
			return nil, at(r.policy, fmt.Sprintf("id %q: ids that begin with %q are not yours to give", r.id, core.Name+"/"))
		}
		replaced[r.id] = true
	}
	for _, r := range s.Roles {
		if reserved(r.Name) {
			return nil, fmt.Errorf("role %q: roles that begin with %q cannot be changed", r.Name, core.Name+"/")
		}
	}
	c := &compiled{
		tenant: s.Tenant, version: s.Version,
		actions: make(map[string]*action), roleSets: make(map[string]types.EntityUIDSet),
	}
	var roles []Role
	for _, p := range parts {
		roles = append(roles, p.Roles...)
		for _, r := range p.rules {
			if !replaced[r.id] {
				c.rules = append(c.rules, r)
			}
		}
	}
	c.rules = append(c.rules, own...)
	c.named = slices.ContainsFunc(c.rules, func(r *rule) bool { return r.needs.principal })
	roles = append(roles, s.Roles...)
	if c.roles, err = resolve(roles); err != nil {
		return nil, err
	}
	c.bound = bindRoles(roles)
	return c, nil
}

func reserved(name string) bool { return strings.HasPrefix(name, core.Name+"/") }

// action returns the rules that can concern an action.
func (c *compiled) action(name string) *action {
	c.mu.RLock()
	a := c.actions[name]
	c.mu.RUnlock()
	if a != nil {
		return a
	}
	a = c.sortOut(name)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.actions) < maxActions {
		c.actions[name] = a
	}
	return a
}

func (c *compiled) sortOut(name string) *action {
	uid := types.NewEntityUID("Action", types.String(name))
	groups := actionGroups(name)
	a := &action{entity: types.Entity{UID: uid, Parents: types.NewEntityUIDSet(groups...)}}
	for _, r := range c.rules {
		if !mayConcern(r.policy, uid, groups) {
			continue
		}
		list := &a.owner
		if r.scope {
			list = &a.scope
		}
		list.policies = append(list.policies, r)
		if r.id != scopeOnly { // see subject.key
			list.needs = list.needs.or(r.needs)
		}
	}
	return a
}

// roleSet returns the roles as entities. Callers with the same roles share one.
func (c *compiled) roleSet(names []string) types.EntityUIDSet {
	key := strings.Join(names, "\x00")
	c.mu.RLock()
	set, ok := c.roleSets[key]
	c.mu.RUnlock()
	if ok {
		return set
	}
	parents := make([]types.EntityUID, len(names))
	for i, name := range names {
		parents[i] = role(name)
	}
	set = types.NewEntityUIDSet(parents...)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.roleSets) < maxRoleSets {
		c.roleSets[key] = set
	}
	return set
}

// actionGroups are what an action is a member of: "a:b:c" of "a:b:*" and
// "a:*". An action is not in a group of its own name.
func actionGroups(name string) []types.EntityUID {
	var out []types.EntityUID
	for i := range len(name) {
		if name[i] == ':' && name[i+1:] != "*" {
			out = append(out, types.NewEntityUID("Action", types.String(name[:i]+":*")))
		}
	}
	return out
}
