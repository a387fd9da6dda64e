package adminapi

import (
	"context"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/tenant"
)

type actor = audit.By

type roleIn struct {
	PrincipalIn
	Body struct {
		Role string `json:"role" minLength:"1" maxLength:"300" doc:"Name of a role that the tenant's policy knows, possibly for a place only" example:"ayyeka/operator@Organization:12"`
	}
}

func (k kindPath) grantRole(ctx context.Context, c *call, in roleIn) (*receiptOut, error) {
	if err := c.mayGive(in.Body.Role); err != nil {
		return nil, err
	}
	return k.changeRole(ctx, c, in, (*principal.Service).GrantRole)
}

func (k kindPath) removeRole(ctx context.Context, c *call, in roleIn) (*receiptOut, error) {
	return k.changeRole(ctx, c, in, (*principal.Service).RemoveRole)
}

func (k kindPath) changeRole(
	ctx context.Context, c *call, in roleIn,
	do func(*principal.Service, context.Context, actor, principal.Principal, string) (int64, error),
) (*receiptOut, error) {
	p, err := k.change(ctx, c, in.ID)
	if err != nil {
		return nil, err
	}
	change, err := do(c.api.Principals, ctx, c.by, p, in.Body.Role)
	if err != nil {
		return nil, err
	}
	return &receiptOut{Body: c.receipt(ctx, change)}, nil
}

// mayGive refuses the role that opens every tenant to whoever has it not
// himself, and anywhere but where it means something.
func (c *call) mayGive(roles ...string) error {
	if !slices.Contains(roles, principal.InstallationRole) {
		return nil
	}
	if !c.installation() {
		return huma.Error403Forbidden("only who administers the installation can give this role")
	}
	if c.tenant.Name != tenant.Default {
		return huma.Error422UnprocessableEntity("the role " + principal.InstallationRole + " means something in the tenant " + tenant.Default + " only")
	}
	return nil
}
