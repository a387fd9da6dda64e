package adminapi

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/tenant"
)

// caller is who makes a call. A nil identity is somebody at the Unix socket.
type caller struct {
	identity *identity.Identity
	by       audit.By
}

// installation reports whether the caller may touch every tenant. The role
// must be held directly and everywhere: what a tenant's own rules include in a
// role does not count.
func (c *caller) installation() bool {
	id := c.identity
	return id == nil || id.TenantName == tenant.Default && slices.Contains(id.Roles, principal.InstallationRole)
}

// op is one operation.
type op struct {
	id, method, path string
	summary, detail  string
	tag              string
	// what names the object of policy: the action is admin:read:<what> for
	// GET, else admin:write:<what>.
	what string
	// reads is set for a POST that changes nothing.
	reads bool
	// installation: for administrators of the installation only.
	installation bool
	status       int
	body         int64
}

// InTenant is embedded by every input.
type InTenant struct {
	Tenant string `query:"tenant" maxLength:"63" doc:"Name or id of the tenant that the call is about. Default: the tenant of what the path names, else the caller's own."`
}

func (t InTenant) tenantParam() string { return t.Tenant }

type input interface{ tenantParam() string }

// call is one call of an operation, with what has been settled about it.
type call struct {
	*caller
	api    *api
	action string
	tenant tenant.Tenant // that it is about
	named  bool          // by ?tenant=
}

type callerKey struct{}

// add registers an operation. The handler runs once the caller may do this in
// the tenant that the call is about.
func add[I input, O any](a *api, o op, handle func(ctx context.Context, c *call, in I) (*O, error)) {
	if o.body == 0 {
		o.body = maxBody
	}
	huma.Register(a.huma, huma.Operation{
		OperationID: o.id, Method: o.method, Path: o.path, Summary: o.summary, Description: o.detail,
		Tags: []string{o.tag}, DefaultStatus: o.status,
		MaxBodyBytes: o.body, BodyReadTimeout: bodyTimeout,
	}, func(ctx context.Context, in *I) (*O, error) {
		c := &call{caller: ctx.Value(callerKey{}).(*caller), api: a, action: o.action()}
		if err := c.enter(ctx, (*in).tenantParam(), o.installation); err != nil {
			return nil, a.problem(ctx, err)
		}
		out, err := handle(ctx, c, *in)
		if err != nil {
			return nil, a.problem(ctx, err)
		}
		return out, nil
	})
}

func (o op) action() string {
	if o.method == http.MethodGet || o.reads {
		return policy.AdminRead + o.what
	}
	return policy.AdminWrite + o.what
}

// enter settles the tenant and asks whether the caller may.
func (c *call) enter(ctx context.Context, named string, installation bool) error {
	if installation && !c.installation() {
		return huma.Error403Forbidden("this is for administrators of the installation")
	}
	t, err := c.target(ctx, named)
	if err != nil {
		return err
	}
	c.tenant, c.named = t, named != ""
	return c.may(ctx, t.ID)
}

// target finds the tenant that a call is about before its object is known.
func (c *call) target(ctx context.Context, named string) (tenant.Tenant, error) {
	store := c.api.Tenants.Store
	switch {
	case named != "":
		t, err := c.api.tenantNamed(ctx, named)
		if err == nil && c.identity != nil && t.ID != c.identity.Tenant && !c.installation() {
			err = tenant.ErrNotFound
		}
		if errors.Is(err, tenant.ErrNotFound) {
			err = huma.Error404NotFound("there is no such tenant")
		}
		return t, err
	case c.identity != nil:
		return store.Tenant(ctx, c.identity.Tenant)
	}
	return store.TenantByName(ctx, tenant.Default)
}

// tenantNamed finds a tenant by name or id.
func (a *api) tenantNamed(ctx context.Context, s string) (tenant.Tenant, error) {
	t, err := a.Tenants.Store.Tenant(ctx, s)
	if !errors.Is(err, tenant.ErrNotFound) {
		return t, err
	}
	name, err := tenant.NormaliseName(s)
	if err != nil {
		return tenant.Tenant{}, tenant.ErrNotFound
	}
	return a.Tenants.Store.TenantByName(ctx, name)
}

// may asks policy, for a tenant that the caller can reach.
func (c *call) may(ctx context.Context, tenantID string) error {
	if c.identity == nil {
		return nil
	}
	err := c.api.Door.Allow(ctx, policy.Request{
		Identity: c.identity,
		Action:   c.action,
		Resource: policy.Resource{Type: "Tenant", ID: tenantID},
		Source:   c.by.Source,
	})
	return refusal(err)
}

// reach settles that something belongs to a tenant that the call may be about.
// Where it does not, it looks absent.
func (c *call) reach(ctx context.Context, tenantID string) error {
	switch {
	case tenantID == c.tenant.ID:
		return nil
	case c.named, !c.installation():
		return errNotFound
	}
	if err := c.may(ctx, tenantID); err != nil {
		return err
	}
	t, err := c.api.Tenants.Store.Tenant(ctx, tenantID)
	if err != nil {
		return err
	}
	c.tenant = t
	return nil
}

// principal finds a principal that the call may be about.
func (c *call) principal(ctx context.Context, id string) (principal.Principal, error) {
	p, err := c.api.Principals.Store.Principal(ctx, id)
	if err != nil {
		return p, err
	}
	return p, c.reach(ctx, p.Tenant)
}

// touch finds a principal to change, or to change something of. Whoever may
// touch every tenant can be touched by his like only, and so can whoever
// administers this one: a new key for him would be a way to become him.
func (c *call) touch(ctx context.Context, id string) (principal.Principal, error) {
	p, err := c.principal(ctx, id)
	if err != nil {
		return p, err
	}
	if !c.installation() && slices.Contains(p.Roles, principal.InstallationRole) {
		return p, huma.Error403Forbidden("this principal administers the installation; only its like may touch it")
	}
	return p, c.mayRaise(ctx, p.Tenant, p.Roles, "a change of this principal")
}
