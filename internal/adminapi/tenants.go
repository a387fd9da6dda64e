package adminapi

import (
	"context"
	"net/http"
)

type tenantPath struct {
	ID string `path:"id" maxLength:"64" doc:"Id or name of a tenant"`
}

func (tenantPath) tenantParam() string { return "" }

type tenantOut struct{ Body Tenant }

func (a *api) tenants() {
	add(a, op{
		id: "list-tenants", method: http.MethodGet, path: "/v1/tenants", tag: "Tenants", what: "tenants", installation: true,
		summary: "List all tenants",
	}, a.listTenants)
	add(a, op{
		id: "create-tenant", method: http.MethodPost, path: "/v1/tenants", tag: "Tenants", what: "tenants", installation: true,
		summary: "Make a tenant", status: http.StatusCreated,
	}, a.createTenant)
	add(a, op{
		id: "get-tenant", method: http.MethodGet, path: "/v1/tenants/{id}", tag: "Tenants", what: "tenants", installation: true,
		summary: "Show a tenant",
	}, a.getTenant)
	add(a, op{
		id: "disable-tenant", method: http.MethodPost, path: "/v1/tenants/{id}/disable", tag: "Tenants", what: "tenants", installation: true,
		summary: "Disable a tenant", detail: "Ends everything of the tenant until it is enabled again.",
	}, a.disableTenant)
	add(a, op{
		id: "enable-tenant", method: http.MethodPost, path: "/v1/tenants/{id}/enable", tag: "Tenants", what: "tenants", installation: true,
		summary: "Enable a tenant again",
	}, a.enableTenant)
}

type none struct{}

func (none) tenantParam() string { return "" }

func (a *api) listTenants(ctx context.Context, _ *call, _ none) (*pageOut[Tenant], error) {
	list, err := a.Tenants.Store.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	return pageOf(list, len(list), viewTenant, nil), nil
}

type createTenantIn struct {
	none
	Body struct {
		Name string `json:"name" minLength:"1" maxLength:"63" doc:"Lower-case letters, digits and hyphens"`
	}
}

func (a *api) createTenant(ctx context.Context, c *call, in createTenantIn) (*tenantOut, error) {
	t, err := a.Tenants.Create(ctx, c.by, in.Body.Name)
	if err != nil {
		return nil, err
	}
	return &tenantOut{Body: viewTenant(t)}, nil
}

func (a *api) getTenant(ctx context.Context, _ *call, in tenantPath) (*tenantOut, error) {
	t, err := a.tenantNamed(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &tenantOut{Body: viewTenant(t)}, nil
}

func (a *api) disableTenant(ctx context.Context, c *call, in tenantPath) (*receiptOut, error) {
	t, err := a.tenantNamed(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	change, err := a.Tenants.Disable(ctx, c.by, t.ID)
	if err != nil {
		return nil, err
	}
	return &receiptOut{Body: c.receipt(ctx, change)}, nil
}

func (a *api) enableTenant(ctx context.Context, c *call, in tenantPath) (*tenantOut, error) {
	t, err := a.tenantNamed(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := a.Tenants.Enable(ctx, c.by, t.ID); err != nil {
		return nil, err
	}
	return a.getTenant(ctx, c, tenantPath{ID: t.ID})
}
