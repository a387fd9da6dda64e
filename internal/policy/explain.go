package policy

import (
	"context"
	"errors"
	"slices"

	"github.com/cedar-policy/cedar-go/types"
)

// Explanation shows how a decision came about.
type Explanation struct {
	Decision
	Version   int64 // of the tenant's stored rules; 0: only those of the program
	Principal string
	Action    string
	Groups    []string // of the action
	Resource  string
	Roles     []string // in effect here, everything included
	Scopes    []string // nil: not narrowed
	Rules     []Trace  // every rule that can concern the action
}

// Trace is what one rule said.
type Trace struct {
	ID     string
	Scope  bool   // asked for the scope
	Effect string // "permit" or "forbid"
	Result string // "applies", "does not apply", "failed"
	Error  string
	Line   int // in its text
	Cedar  string
}

// Explain decides as [Engine.Decide] does, remembering nothing, and shows every
// step.
func (e *Engine) Explain(ctx context.Context, r Request) (Explanation, error) {
	if r.Identity == nil {
		return Explanation{}, errors.New("explain: no identity")
	}
	c, err := e.rules(ctx, r.Identity.Tenant)
	if err != nil {
		return Explanation{}, err
	}
	s := c.subject(r.Identity)
	x := Explanation{Version: c.version, Action: r.Action, Scopes: r.Identity.Scopes}
	x.Principal, x.Roles = s.owner.UID.String(), s.rolesAt(&r)
	x.Resource = types.NewEntityUID(types.EntityType(r.Resource.Type), types.String(r.Resource.ID)).String()
	x.Decision = s.decide(&r)
	if malformed(&r) != "" {
		return x, nil
	}
	a := c.action(r.Action)
	for _, g := range actionGroups(r.Action) {
		x.Groups = append(x.Groups, string(g.ID))
	}
	x.Rules = trace(s.ownerAt(&r), a, &a.owner, &r)
	if r.Identity.Scopes != nil {
		x.Rules = slices.Concat(x.Rules, trace(s.token, a, &a.scope, &r))
	}
	return x, nil
}

// trace asks each rule alone.
func trace(principal types.Entity, a *action, list *ruleList, r *Request) []Trace {
	var out []Trace
	for _, rule := range list.policies {
		alone := ruleList{policies: policyList{rule}, needs: list.needs}
		t := Trace{
			ID: rule.id, Scope: rule.scope, Effect: effect(rule), Result: "does not apply",
			Line: rule.policy.Position().Line, Cedar: string(rule.policy.MarshalCedar()),
		}
		d := ask(principal, a.entity, &alone, r)
		switch {
		case len(d.Errors) > 0:
			t.Result, t.Error = "failed", d.Errors[0]
		case len(d.Reasons) > 0:
			t.Result = "applies"
		}
		out = append(out, t)
	}
	return out
}
