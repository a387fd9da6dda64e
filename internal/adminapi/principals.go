package adminapi

import (
	"context"
	"net/http"
	"strings"
	"time"

	"gatehouse.dev/internal/field"
	"gatehouse.dev/internal/principal"
)

// kindPath is the path of one kind of principal.
type kindPath struct {
	kind    principal.Kind
	plural  string
	article string
}

var kindPaths = []kindPath{
	{principal.User, "users", "a user"},
	{principal.Client, "clients", "an API client"},
	{principal.Application, "applications", "an application"},
	{principal.Device, "devices", "a device"},
	{principal.Bearer, "bearers", "a bearer"},
}

type PrincipalIn struct {
	InTenant
	ID string `path:"id" maxLength:"64"`
}

type principalOut struct{ Body Principal }

// principals registers the same operations for each kind.
func (a *api) principals() {
	for _, k := range kindPaths {
		o := func(verb, method, path, summary string) op {
			noun := strings.TrimSuffix(k.plural, "s")
			if verb == "list" {
				noun = k.plural
			}
			return op{
				id: verb + "-" + noun, method: method, path: "/v1/" + k.plural + path,
				tag: strings.ToUpper(k.plural[:1]) + k.plural[1:], what: "principals", summary: summary,
			}
		}
		const one = "/{id}"
		create := o("create", http.MethodPost, "", "Make "+k.article)
		create.status = http.StatusCreated
		add(a, o("list", http.MethodGet, "", "List "+k.plural), k.list)
		add(a, create, k.create)
		add(a, o("get", http.MethodGet, one, "Show "+k.article), k.get)
		add(a, o("update", http.MethodPatch, one, "Change "+k.article), k.update)
		add(a, o("delete", http.MethodDelete, one, "Delete "+k.article+" with all credentials"), k.end((*principal.Service).Delete))
		add(a, o("disable", http.MethodPost, one+"/disable", "Disable "+k.article+" and end what rests on it"), k.end((*principal.Service).Disable))
		add(a, o("enable", http.MethodPost, one+"/enable", "Enable "+k.article+" again"), k.enable)
		add(a, o("end-tokens-of", http.MethodPost, one+"/end-tokens", "End every token issued to "+k.article+" so far"), k.end((*principal.Service).EndTokens))
		grant := o("grant-role-to", http.MethodPost, one+"/roles/grant", "Give "+k.article+" a role")
		remove := o("remove-role-from", http.MethodPost, one+"/roles/remove", "Take a role from "+k.article)
		grant.what, remove.what = "roles", "roles"
		add(a, grant, k.grantRole)
		add(a, remove, k.removeRole)
	}
}

// find finds a principal of the kind that the path says.
func (k kindPath) find(ctx context.Context, c *call, id string) (principal.Principal, error) {
	p, err := c.principal(ctx, id)
	if err == nil && p.Kind != k.kind {
		err = errNotFound
	}
	return p, err
}

// change finds a principal of the kind to change.
func (k kindPath) change(ctx context.Context, c *call, id string) (principal.Principal, error) {
	p, err := c.touch(ctx, id)
	if err == nil && p.Kind != k.kind {
		err = errNotFound
	}
	return p, err
}

type listPrincipalsIn struct {
	InTenant
	Paging
	Name string `query:"name" maxLength:"512" doc:"Only the one of that name"`
}

func (k kindPath) list(ctx context.Context, c *call, in listPrincipalsIn) (*pageOut[Principal], error) {
	f := principal.Filter{Tenant: c.tenant.ID, Kind: k.kind, After: in.After, Limit: in.Limit + 1}
	if in.Name != "" {
		name, err := principal.NormaliseName(k.kind, in.Name)
		if err != nil {
			return nil, err
		}
		f.Name = name
	}
	list, err := c.api.Principals.Store.Principals(ctx, f)
	if err != nil {
		return nil, err
	}
	return pageOf(list, in.Limit, viewPrincipal, func(p principal.Principal) string { return p.ID }), nil
}

type createPrincipalIn struct {
	InTenant
	Body struct {
		Name        string   `json:"name" minLength:"1" maxLength:"128" doc:"Unique among its kind; users in lower case"`
		DisplayName string   `json:"display_name,omitempty" maxLength:"200"`
		Comment     string   `json:"comment,omitempty" maxLength:"500"`
		Roles       []string `json:"roles,omitempty" maxItems:"100"`
		ReuseWindow string   `json:"reuse_window,omitempty" maxLength:"20" doc:"How long the same request may get the same token; default: never" example:"30s"`
	}
}

func (k kindPath) create(ctx context.Context, c *call, in createPrincipalIn) (*principalOut, error) {
	window, err := duration("reuse_window", in.Body.ReuseWindow)
	if err != nil {
		return nil, err
	}
	if err := c.mayGive(ctx, in.Body.Roles...); err != nil {
		return nil, err
	}
	p, err := c.api.Principals.Create(ctx, c.by, principal.Principal{
		Tenant: c.tenant.ID, Kind: k.kind, Name: in.Body.Name, DisplayName: in.Body.DisplayName,
		Comment: in.Body.Comment, Roles: in.Body.Roles, ReuseWindow: window,
	})
	if err != nil {
		return nil, err
	}
	return &principalOut{Body: viewPrincipal(p)}, nil
}

func (k kindPath) get(ctx context.Context, c *call, in PrincipalIn) (*principalOut, error) {
	p, err := k.find(ctx, c, in.ID)
	if err != nil {
		return nil, err
	}
	return &principalOut{Body: viewPrincipal(p)}, nil
}

type updatePrincipalIn struct {
	PrincipalIn
	Body struct {
		DisplayName *string `json:"display_name,omitempty" maxLength:"200"`
		Comment     *string `json:"comment,omitempty" maxLength:"500"`
		ReuseWindow *string `json:"reuse_window,omitempty" maxLength:"20" example:"30s"`
	}
}

func (k kindPath) update(ctx context.Context, c *call, in updatePrincipalIn) (*principalOut, error) {
	p, err := k.change(ctx, c, in.ID)
	if err != nil {
		return nil, err
	}
	u := principal.Update{DisplayName: in.Body.DisplayName, Comment: in.Body.Comment}
	if in.Body.ReuseWindow != nil {
		window, err := duration("reuse_window", *in.Body.ReuseWindow)
		if err != nil {
			return nil, err
		}
		u.ReuseWindow = &window
	}
	if err := c.api.Principals.Update(ctx, c.by, p, u); err != nil {
		return nil, err
	}
	return k.get(ctx, c, in.PrincipalIn)
}

// ending is one of the changes of a principal that take something away.
type ending func(s *principal.Service, ctx context.Context, by actor, p principal.Principal) (int64, error)

func (k kindPath) end(do ending) func(context.Context, *call, PrincipalIn) (*receiptOut, error) {
	return func(ctx context.Context, c *call, in PrincipalIn) (*receiptOut, error) {
		p, err := k.change(ctx, c, in.ID)
		if err != nil {
			return nil, err
		}
		change, err := do(c.api.Principals, ctx, c.by, p)
		if err != nil {
			return nil, err
		}
		return &receiptOut{Body: c.receipt(ctx, change)}, nil
	}
}

func (k kindPath) enable(ctx context.Context, c *call, in PrincipalIn) (*principalOut, error) {
	p, err := k.change(ctx, c, in.ID)
	if err != nil {
		return nil, err
	}
	if err := c.api.Principals.Enable(ctx, c.by, p); err != nil {
		return nil, err
	}
	return k.get(ctx, c, in)
}

// duration reads a length of time as people write it.
func duration(name, s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, field.Errorf(name, "is not a length of time such as 30s, 15m or 24h")
	}
	return d, nil
}
