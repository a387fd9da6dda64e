package adminapi

import (
	"context"
	"slices"
	"strings"

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
	if err := c.mayGive(ctx, in.Body.Role); err != nil {
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
// himself, and anywhere but where it means something; and roles that administer
// the tenant to whoever does not.
func (c *call) mayGive(ctx context.Context, roles ...string) error {
	if !slices.Contains(roles, principal.InstallationRole) {
		return c.mayRaise(ctx, c.tenant.ID, roles, "this role")
	}
	if !c.installation() {
		return huma.Error403Forbidden("only who administers the installation can give this role")
	}
	if c.tenant.Name != tenant.Default {
		return huma.Error422UnprocessableEntity("the role " + principal.InstallationRole + " means something in the tenant " + tenant.Default + " only")
	}
	return nil
}

// mayRaise refuses what would make somebody an administrator, or let the caller
// become one, unless the caller is one. A tenant can let others do a part of its
// administration, such as making keys, and that part must not be a way to all of
// it.
func (c *call) mayRaise(ctx context.Context, tenantID string, roles []string, what string) error {
	if c.installation() || len(roles) == 0 {
		return nil
	}
	has, err := c.administration(ctx, tenantID, roles)
	if err != nil || len(has) == 0 {
		return err
	}
	own, err := c.administration(ctx, tenantID, c.identity.Roles)
	if err != nil {
		return err
	}
	for role := range has {
		if !own[role] {
			return huma.Error403Forbidden(what + " brings " + role + " along; only who has it may do that")
		}
	}
	return nil
}

// administration is which roles that administer a tenant some others include.
// Where a role is held for a place only, the place is left aside.
func (c *call) administration(ctx context.Context, tenantID string, roles []string) (map[string]bool, error) {
	rules, err := c.api.Rules.InForce(ctx, tenantID)
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for _, held := range roles {
		held, _, _ = strings.Cut(held, "@")
		for _, r := range rules.Roles {
			for _, admin := range []string{principal.AdminRole, principal.AuditorRole} {
				if r.Name == held && (held == admin || slices.Contains(r.Includes, admin)) {
					found[admin] = true
				}
			}
		}
	}
	return found, nil
}
