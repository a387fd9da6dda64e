package adminapi

import (
	"context"
	"errors"
	"net/http"
	"net/netip"

	"github.com/danielgtaylor/huma/v2"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/field"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/policy"
)

func (a *api) policy() {
	const tag, what, path = "Policy", "policy", "/v1/policy"
	add(a, op{
		id: "get-policy", method: http.MethodGet, path: path, tag: tag, what: what,
		summary: "Show the tenant's own rules, and all that are in force",
	}, a.getPolicy)
	add(a, op{
		id: "put-policy", method: http.MethodPut, path: path, tag: tag, what: what, body: maxPolicyBody,
		summary: "Replace the tenant's own rules",
		detail:  "Succeeds on the version that is in force only. Conns that are no longer allowed end.",
	}, a.putPolicy)
	add(a, op{
		id: "check-policy", method: http.MethodPost, path: path + "/check", tag: tag, what: what, body: maxPolicyBody, reads: true,
		summary: "Say what is wrong with rules, storing nothing",
	}, a.checkPolicy)
	add(a, op{
		id: "explain-policy", method: http.MethodPost, path: path + "/explain", tag: tag, what: what, reads: true,
		summary: "Show how a decision comes about, rule by rule",
	}, a.explainPolicy)
}

// Role is one role and what it includes.
type Role struct {
	Name     string   `json:"name" maxLength:"128"`
	Includes []string `json:"includes,omitempty" maxItems:"200"`

	Countries []string `json:"countries,omitempty" maxItems:"64" doc:"It counts for requests from there only, by codes such as NZ; none: from everywhere"`
	Networks  []string `json:"networks,omitempty" maxItems:"64" doc:"Likewise, such as 10.0.0.0/8"`
}

func viewRoles(roles []policy.Role) []Role {
	out := make([]Role, len(roles))
	for i, r := range roles {
		out[i] = Role{Name: r.Name, Includes: r.Includes, Countries: r.Countries}
		for _, n := range r.Networks {
			out[i].Networks = append(out[i].Networks, n.String())
		}
	}
	return out
}

// RulesIn is a tenant's own rules.
type RulesIn struct {
	Cedar string `json:"cedar" maxLength:"131072" doc:"Policies, in Cedar"`
	Roles []Role `json:"roles,omitempty" maxItems:"2000" doc:"Roles, on top of those that come with the program"`
}

func (in RulesIn) set(tenant string) policy.Set {
	s := policy.Set{Tenant: tenant, Cedar: in.Cedar}
	for _, r := range in.Roles {
		role := policy.Role{Name: r.Name, Includes: r.Includes, Countries: r.Countries}
		for _, text := range r.Networks {
			n, err := netip.ParsePrefix(text)
			if err != nil {
				n = netip.Prefix{} // which the rules' own check refuses
			}
			role.Networks = append(role.Networks, n.Masked())
		}
		s.Roles = append(s.Roles, role)
	}
	return s
}

// Policy is one policy in force.
type Policy struct {
	ID     string `json:"id"`
	Part   string `json:"part,omitempty" doc:"What it came with; absent: the tenant's own"`
	Effect string `json:"effect" enum:"permit,forbid"`
	Scope  bool   `json:"scope,omitempty" doc:"Asked about a token's scope, not about its owner"`
	Cedar  string `json:"cedar"`
}

// InForce is all rules together.
type InForce struct {
	Policies []Policy `json:"policies" nullable:"false"`
	Roles    []Role   `json:"roles" nullable:"false" doc:"Each with everything it includes"`
	Warnings []string `json:"warnings" nullable:"false" doc:"What is allowed but hardly meant"`
}

func viewReport(r policy.Report) InForce {
	v := InForce{Policies: []Policy{}, Roles: viewRoles(r.Roles), Warnings: append([]string{}, r.Warnings...)}
	for _, p := range r.Policies {
		v.Policies = append(v.Policies, Policy{ID: p.ID, Part: p.Part, Effect: p.Effect, Scope: p.Scope, Cedar: p.Cedar})
	}
	return v
}

// PolicySet is a tenant's own rules and what is in force with them.
type PolicySet struct {
	Version int64   `json:"version" doc:"0: the tenant has none of its own"`
	Cedar   string  `json:"cedar"`
	Roles   []Role  `json:"roles" nullable:"false"`
	InForce InForce `json:"in_force"`
}

type policyOut struct{ Body PolicySet }

func (a *api) getPolicy(ctx context.Context, c *call, _ InTenant) (*policyOut, error) {
	s, err := a.Policies.PolicySet(ctx, c.tenant.ID)
	if err != nil {
		return nil, err
	}
	out := &policyOut{Body: PolicySet{Version: s.Version, Cedar: s.Cedar, Roles: viewRoles(s.Roles)}}
	// Checked again rather than taken from the engine: rules that an older
	// release stored may not compile with this one's, and must be shown then
	// all the more.
	report, err := a.Rules.Check(s)
	if err != nil {
		report.Warnings = []string{"these rules do not compile, so everything is denied: " + err.Error()}
	}
	out.Body.InForce = viewReport(report)
	return out, nil
}

type putPolicyIn struct {
	InTenant
	Body struct {
		Version int64 `json:"version" minimum:"0" doc:"The version that these rules were made from"`
		RulesIn
	}
}

// PolicyPut says that rules are in force.
type PolicyPut struct {
	Version  int64    `json:"version"`
	Warnings []string `json:"warnings" nullable:"false"`
	Receipt
}

type policyPutOut struct{ Body PolicyPut }

func (a *api) putPolicy(ctx context.Context, c *call, in putPolicyIn) (*policyPutOut, error) {
	s := in.Body.set(c.tenant.ID)
	s.Version = in.Body.Version
	report, err := a.Rules.Check(s)
	if err != nil {
		return nil, rulesProblem(err)
	}
	e, err := a.Scribe.Event(ctx, c.by, audit.Event{Action: "policy.put", Tenant: c.tenant.ID, Target: c.tenant.ID})
	if err != nil {
		return nil, err
	}
	change, err := a.Policies.PutPolicySet(ctx, s, e)
	if err != nil {
		return nil, err
	}
	return &policyPutOut{Body: PolicyPut{
		Version: s.Version + 1, Warnings: append([]string{}, report.Warnings...), Receipt: c.receipt(ctx, change),
	}}, nil
}

// rulesProblem tells mistakes in the text from those in the roles.
func rulesProblem(err error) error {
	var syntax *policy.SyntaxError
	if errors.As(err, &syntax) {
		return err
	}
	return huma.Error422UnprocessableEntity("the roles contradict themselves",
		&huma.ErrorDetail{Location: "body.roles", Message: err.Error()})
}

type checkPolicyIn struct {
	InTenant
	Body RulesIn
}

// Checked says what is wrong with rules.
type Checked struct {
	OK      bool      `json:"ok"`
	Errors  []Mistake `json:"errors" nullable:"false"`
	InForce *InForce  `json:"in_force,omitempty" doc:"As it would be"`
}

// Mistake is something that keeps rules from being stored.
type Mistake struct {
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
}

type checkedOut struct{ Body Checked }

func (a *api) checkPolicy(_ context.Context, c *call, in checkPolicyIn) (*checkedOut, error) {
	report, err := a.Rules.Check(in.Body.set(c.tenant.ID))
	if err != nil {
		m := Mistake{Message: err.Error()}
		var syntax *policy.SyntaxError
		if errors.As(err, &syntax) {
			m = Mistake{Line: syntax.Line, Column: syntax.Column, Message: syntax.Message}
		}
		return &checkedOut{Body: Checked{Errors: []Mistake{m}}}, nil
	}
	v := viewReport(report)
	return &checkedOut{Body: Checked{OK: true, Errors: []Mistake{}, InForce: &v}}, nil
}

type explainIn struct {
	InTenant
	Body struct {
		Principal string   `json:"principal" minLength:"1" maxLength:"64" doc:"Id of who would ask"`
		Scopes    []string `json:"scopes,omitempty" maxItems:"100" doc:"As a token with these scopes; absent: not narrowed"`
		Action    string   `json:"action" minLength:"1" maxLength:"200" example:"site:read"`
		Resource  struct {
			Type    string            `json:"type" minLength:"1" maxLength:"128" example:"Route"`
			ID      string            `json:"id" maxLength:"512" example:"sites"`
			Parents []Entity          `json:"parents,omitempty" maxItems:"50"`
			Attrs   map[string]string `json:"attrs,omitempty"`
			Roles   []string          `json:"roles,omitempty" maxItems:"200" doc:"Those that the configuration names for it"`
		} `json:"resource"`
		Source  string `json:"source,omitempty" maxLength:"64" doc:"Address it would come from"`
		Country string `json:"country,omitempty" maxLength:"2"`
		Method  string `json:"method,omitempty" maxLength:"32" doc:"How the caller would have proved itself"`
		Dialect string `json:"dialect,omitempty" maxLength:"32"`
	}
}

// Entity is something a resource belongs to.
type Entity struct {
	Type string `json:"type" maxLength:"128"`
	ID   string `json:"id" maxLength:"512"`
}

// Explanation is a decision with all that led to it.
type Explanation struct {
	Allowed   bool     `json:"allowed"`
	Reasons   []string `json:"reasons" nullable:"false" doc:"Policies that decided"`
	Errors    []string `json:"errors" nullable:"false" doc:"Any of these denies"`
	Version   int64    `json:"version"`
	Principal string   `json:"principal"`
	Action    string   `json:"action"`
	Groups    []string `json:"groups" nullable:"false" doc:"What the action is a member of"`
	Resource  string   `json:"resource"`
	Roles     []string `json:"roles" nullable:"false" doc:"In effect for this resource"`
	Scopes    []string `json:"scopes,omitempty"`
	Rules     []Trace  `json:"rules" nullable:"false" doc:"Every rule that can concern the action"`
}

// Trace is what one rule said.
type Trace struct {
	ID     string `json:"id"`
	Scope  bool   `json:"scope,omitempty"`
	Effect string `json:"effect" enum:"permit,forbid"`
	Result string `json:"result" enum:"applies,does not apply,failed"`
	Error  string `json:"error,omitempty"`
	Line   int    `json:"line,omitempty"`
	Cedar  string `json:"cedar"`
}

type explanationOut struct{ Body Explanation }

func (a *api) explainPolicy(ctx context.Context, c *call, in explainIn) (*explanationOut, error) {
	p, err := c.principal(ctx, in.Body.Principal)
	if err != nil {
		return nil, err
	}
	b := in.Body
	r := policy.Request{
		Identity: &identity.Identity{
			Tenant: p.Tenant, TenantName: c.tenant.Name, Principal: p.ID, PrincipalNumber: p.Number, Kind: p.Kind, Name: p.Name,
			Roles: p.Roles, Scopes: b.Scopes, Method: identity.Method(b.Method), Dialect: b.Dialect,
		},
		Action:   b.Action,
		Resource: policy.Resource{Type: b.Resource.Type, ID: b.Resource.ID, Attrs: b.Resource.Attrs, Roles: b.Resource.Roles},
		Country:  b.Country,
	}
	for _, e := range b.Resource.Parents {
		r.Resource.Parents = append(r.Resource.Parents, policy.Parent{Type: e.Type, ID: e.ID})
	}
	if b.Source != "" {
		if r.Source, err = netip.ParseAddr(b.Source); err != nil {
			return nil, field.Errorf("source", "is not an address")
		}
	}
	x, err := a.Rules.Explain(ctx, r)
	if err != nil {
		return nil, err
	}
	return &explanationOut{Body: viewExplanation(x)}, nil
}

func viewExplanation(x policy.Explanation) Explanation {
	v := Explanation{
		Allowed: x.Allowed, Reasons: append([]string{}, x.Reasons...), Errors: append([]string{}, x.Errors...),
		Version: x.Version, Principal: x.Principal, Action: x.Action, Groups: append([]string{}, x.Groups...),
		Resource: x.Resource, Roles: append([]string{}, x.Roles...), Scopes: x.Scopes, Rules: []Trace{},
	}
	for _, t := range x.Rules {
		v.Rules = append(v.Rules, Trace{
			ID: t.ID, Scope: t.Scope, Effect: t.Effect, Result: t.Result, Error: t.Error, Line: t.Line, Cedar: t.Cedar,
		})
	}
	return v
}
