package policy

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// Report is what can be said about rules before they are stored.
type Report struct {
	Policies []Named  // as they would be in force, parts included
	Roles    []Role   // likewise, each with everything it includes
	Warnings []string // what is allowed but hardly meant
}

// Named is one policy in force.
type Named struct {
	ID     string
	Part   string // empty: the tenant's own
	Effect string // "permit" or "forbid"
	Scope  bool   // answers for the scope, not for the owner
	Cedar  string
}

// Check compiles rules as they would be stored. A mistake in the text is a
// [*SyntaxError]; one in the roles says which.
func (e *Engine) Check(s Set) (Report, error) {
	c, err := compile(e.parts, s)
	if err != nil {
		return Report{}, err
	}
	return e.report(c), nil
}

// InForce reports the rules of a tenant as they are.
func (e *Engine) InForce(ctx context.Context, tenant string) (Report, error) {
	c, err := e.rules(ctx, tenant)
	if err != nil {
		return Report{}, err
	}
	return e.report(c), nil
}

// KnownRole reports whether the tenant's hierarchy has the role, whose place
// is left aside. Giving somebody a role that nobody knows is a typing error.
func (e *Engine) KnownRole(ctx context.Context, tenant, held string) (bool, error) {
	name, _, err := SplitRole(held)
	if err != nil {
		return false, err
	}
	c, err := e.rules(ctx, tenant)
	if err != nil {
		return false, err
	}
	_, ok := c.roles[name]
	return ok, nil
}

func (e *Engine) report(c *compiled) Report {
	var r Report
	origin := e.origins()
	for _, rule := range c.rules {
		r.Policies = append(r.Policies, Named{
			ID: rule.id, Part: origin[rule], Effect: effect(rule), Scope: rule.scope,
			Cedar: string(rule.policy.MarshalCedar()),
		})
		r.Warnings = append(r.Warnings, c.doubts(rule)...)
	}
	for name, closure := range c.roles {
		role := Role{Name: name, Includes: without(closure, name)}
		if b := c.bound[name]; b != nil {
			role.Countries, role.Networks = b.Countries, b.Networks
		}
		r.Roles = append(r.Roles, role)
	}
	slices.SortFunc(r.Roles, func(a, b Role) int { return strings.Compare(a.Name, b.Name) })
	return r
}

func (e *Engine) origins() map[*rule]string {
	out := make(map[*rule]string)
	for _, p := range e.parts {
		for _, r := range p.rules {
			out[r] = p.Name
		}
	}
	return out
}

func without(list []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == name })
}

func effect(r *rule) string {
	if r.policy.Effect() {
		return "permit"
	}
	return "forbid"
}

// doubts finds roles that do not exist and countries asked for without asking
// first whether one is known.
func (c *compiled) doubts(r *rule) []string {
	var out []string
	doubt := func(format string, args ...any) {
		out = append(out, fmt.Sprintf("policy %s: ", r.id)+fmt.Sprintf(format, args...))
	}
	entity := func(e types.EntityUID) {
		if e.Type != "Role" {
			return
		}
		if _, ok := c.roles[string(e.ID)]; !ok {
			doubt("role %q does not exist", e.ID)
		}
	}
	switch head := r.policy.AST().Principal.(type) {
	case ast.ScopeTypeIn:
		entity(head.Entity)
	case ast.ScopeTypeIsIn:
		entity(head.Entity)
	}
	asked, used := map[string]bool{}, map[string]bool{}
	for _, cond := range r.policy.AST().Conditions {
		ast.Inspect(ast.NewNode(cond.Body), func(n ast.IsNode) bool {
			switch t := n.(type) {
			case ast.NodeValue:
				if e, ok := t.Value.(types.EntityUID); ok {
					entity(e)
				}
			case ast.NodeTypeHas:
				noteContext(asked, t.Arg, t.Value)
			case ast.NodeTypeAccess:
				noteContext(used, t.Arg, t.Value)
			}
			return true
		})
	}
	for _, name := range []string{"country", "source"} {
		if used[name] && !asked[name] {
			doubt("denies everything it concerns where the %s is not known; ask `context has %s &&` first", name, name)
		}
	}
	return out
}

func noteContext(in map[string]bool, of ast.IsNode, name types.String) {
	if v, ok := of.(ast.NodeTypeVariable); ok && v.Name == "context" {
		in[string(name)] = true
	}
}
