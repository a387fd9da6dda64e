package adminapi

import (
	"context"
	"net/http"
	"time"

	"gatehouse.dev/internal/tenant"
)

func (a *api) methods() {
	const tag, what = "Methods", "methods"
	add(a, op{
		id: "list-methods-off", method: http.MethodGet, path: "/v1/methods", tag: tag, what: what,
		summary: "List methods that are switched off", detail: "All others that a dialect has are on.",
	}, a.listMethods)
	add(a, op{
		id: "switch-method-off", method: http.MethodPost, path: "/v1/methods/off", tag: tag, what: what,
		summary: "Switch a method off for a dialect, and end what came in by it",
	}, a.methodOff)
	add(a, op{
		id: "switch-method-on", method: http.MethodPost, path: "/v1/methods/on", tag: tag, what: what,
		summary: "Switch a method on again", status: http.StatusNoContent,
	}, a.methodOn)
}

// Method is a method that is switched off.
type Method struct {
	Dialect string    `json:"dialect"`
	Method  string    `json:"method"`
	Since   time.Time `json:"off_since"`
}

func (a *api) listMethods(ctx context.Context, c *call, _ InTenant) (*pageOut[Method], error) {
	list, err := a.Methods.Store.MethodsOff(ctx, c.tenant.ID)
	if err != nil {
		return nil, err
	}
	view := func(m tenant.MethodOff) Method {
		return Method{Dialect: m.Dialect, Method: m.Method.Method, Since: m.Since.UTC()}
	}
	return pageOf(list, len(list), view, nil), nil
}

type methodIn struct {
	InTenant
	Body struct {
		Dialect string `json:"dialect" maxLength:"32" example:"gateway"`
		Method  string `json:"method" maxLength:"32" example:"password"`
	}
}

func (in methodIn) method() tenant.Method {
	return tenant.Method{Dialect: in.Body.Dialect, Method: in.Body.Method}
}

func (a *api) methodOff(ctx context.Context, c *call, in methodIn) (*receiptOut, error) {
	change, err := a.Methods.Off(ctx, c.by, c.tenant.ID, in.method())
	if err != nil {
		return nil, err
	}
	return &receiptOut{Body: c.receipt(ctx, change)}, nil
}

func (a *api) methodOn(ctx context.Context, c *call, in methodIn) (*struct{}, error) {
	return nil, a.Methods.On(ctx, c.by, c.tenant.ID, in.method())
}
