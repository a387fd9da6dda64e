package policy

import (
	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// needs is what a policy looks at beyond who asks and what for. It decides
// which facts must be built for it and whether its answer may be remembered.
type needs struct {
	context   bool // anything of the context that differs between requests
	fixed     bool // method or dialect only
	resource  bool // which resource it is, or its attributes
	roles     bool // the roles that the configuration gives the resource
	principal bool // the principal's attributes
}

func (n needs) or(o needs) needs {
	return needs{
		n.context || o.context, n.fixed || o.fixed,
		n.resource || o.resource, n.roles || o.roles, n.principal || o.principal,
	}
}

// forScope reports whether the policy's head speaks about tokens.
func forScope(p *cedar.Policy) bool {
	switch head := p.AST().Principal.(type) {
	case ast.ScopeTypeEq:
		return scopeType(head.Entity.Type)
	case ast.ScopeTypeIn:
		return scopeType(head.Entity.Type)
	case ast.ScopeTypeIs:
		return scopeType(head.Type)
	case ast.ScopeTypeIsIn:
		return scopeType(head.Type) || scopeType(head.Entity.Type)
	}
	return false
}

func scopeType(t types.EntityType) bool { return t == "Token" || t == "Scope" }

func needsOf(p *cedar.Policy) (n needs) {
	tree := p.AST()
	switch tree.Resource.(type) {
	case ast.ScopeTypeAll, ast.ScopeTypeIs:
	default:
		n.resource = true
	}
	for _, c := range tree.Conditions {
		ast.Inspect(ast.NewNode(c.Body), n.note)
	}
	return n
}

// note looks at one node and reports whether to descend. Whatever it does not
// recognise as harmless counts as looking at everything: an entity written out
// (`Route::"x".owner`) may be the resource itself.
func (n *needs) note(node ast.IsNode) bool {
	switch t := node.(type) {
	case ast.NodeTypeAccess:
		return n.noteMember(t.Arg, t.Value)
	case ast.NodeTypeHas:
		return n.noteMember(t.Arg, t.Value)
	case ast.NodeTypeHasTag, ast.NodeTypeGetTag:
		n.resource = true
	case ast.NodeTypeIn:
		n.noteMember(t.Left, "")
	case ast.NodeTypeIsIn:
		n.noteMember(t.Left, "")
	case ast.NodeTypeVariable:
		switch t.Name {
		case "context":
			n.context = true
		case "resource":
			n.resource = true
		}
	}
	return true
}

// noteMember notes that a member of something (or its parents, then name is
// empty) is looked at, and reports whether to descend.
func (n *needs) noteMember(of ast.IsNode, name types.String) (descend bool) {
	v, ok := of.(ast.NodeTypeVariable)
	switch {
	case !ok:
		n.resource = true
	case v.Name == "principal" && name != "":
		n.principal = true
	case v.Name == "context" && (name == "method" || name == "dialect"):
		n.fixed = true
		return false
	case v.Name == "resource" && name == "roles":
		n.roles = true
		return false
	}
	return true
}

// mayConcern reports whether a policy's head can match the action. It only
// leaves out what cannot match; Cedar decides.
func mayConcern(p *cedar.Policy, action types.EntityUID, groups []types.EntityUID) bool {
	is := func(e types.EntityUID) bool {
		if e == action {
			return true
		}
		for _, g := range groups {
			if e == g {
				return true
			}
		}
		return false
	}
	switch head := p.AST().Action.(type) {
	case ast.ScopeTypeEq:
		return head.Entity == action
	case ast.ScopeTypeIn:
		return is(head.Entity)
	case ast.ScopeTypeInSet:
		for _, e := range head.Entities {
			if is(e) {
				return true
			}
		}
		return false
	}
	return true
}
