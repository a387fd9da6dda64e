package adminapi

import (
	"context"
	"net/http"
)

func (a *api) self() {
	add(a, op{
		id: "get-self", method: http.MethodGet, path: "/v1/self", tag: "Self", what: "self",
		summary: "Say who you are to this API",
	}, a.getSelf)
}

// Self is the caller.
type Self struct {
	Principal    string   `json:"principal" doc:"Id; local over the Unix socket"`
	Name         string   `json:"name"`
	Tenant       Tenant   `json:"tenant" doc:"What this call was about"`
	Roles        []string `json:"roles" nullable:"false"`
	Method       string   `json:"method"`
	Installation bool     `json:"installation" doc:"May touch every tenant"`
}

type selfOut struct{ Body Self }

func (a *api) getSelf(_ context.Context, c *call, _ InTenant) (*selfOut, error) {
	v := Self{
		Principal: c.by.Actor, Name: c.by.Actor, Method: c.by.Method, Roles: []string{},
		Tenant: viewTenant(c.tenant), Installation: c.installation(),
	}
	if id := c.identity; id != nil {
		v.Name, v.Roles = id.Name, append(v.Roles, id.Roles...)
	}
	return &selfOut{Body: v}, nil
}
