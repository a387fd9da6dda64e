package app

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gatehouse.dev/internal/adminapi"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/tenant"
)

// ResetAdministrator lets in who is locked out: it gives the administrator of
// that name, who is made when absent, a new API key, and takes away whatever
// stands in the way of using it. With revokeOthers, all other keys and
// passwords of that administrator end. It works past any server, so it is for
// whoever may read the master key and write to the database.
func ResetAdministrator(ctx context.Context, s *State, name string, revokeOthers bool) (Administrator, error) {
	home, err := s.ensureTenant(ctx, tenant.Default)
	if err != nil {
		return Administrator{}, err
	}
	if !home.Enabled {
		if err := s.Tenants().Enable(ctx, byOwner, home.ID); err != nil {
			return Administrator{}, err
		}
	}
	name, err = principal.NormaliseName(principal.User, name)
	if err != nil {
		return Administrator{}, err
	}
	who, err := s.Store.PrincipalByName(ctx, home.ID, principal.User, name)
	if errors.Is(err, principal.ErrNotFound) {
		who, err = s.makeAdministrator(ctx, home, name)
	}
	if err != nil {
		return Administrator{}, fmt.Errorf("find the administrator: %w", err)
	}
	if err := s.clearTheWay(ctx, home, who); err != nil {
		return Administrator{}, err
	}
	if revokeOthers {
		if err := s.revokeAll(ctx, who); err != nil {
			return Administrator{}, err
		}
	}
	return s.keyFor(ctx, who, "made by gatehouse admin reset")
}

// clearTheWay undoes what keeps an administrator out: disabled, without the
// role, or API keys switched off for the admin API.
func (s *State) clearTheWay(ctx context.Context, home tenant.Tenant, who principal.Principal) error {
	rules, err := policy.New(s.Store, settled{}, policyParts()...)
	if err != nil {
		return fmt.Errorf("read the policies of the program: %w", err)
	}
	people := s.Principals(rules)
	if !who.Enabled {
		if err := people.Enable(ctx, byOwner, who); err != nil {
			return err
		}
	}
	if !slices.Contains(who.Roles, principal.InstallationRole) {
		if _, err := people.GrantRole(ctx, byOwner, who, principal.InstallationRole); err != nil {
			return err
		}
	}
	off, err := s.Store.MethodsOff(ctx, home.ID)
	if err != nil {
		return fmt.Errorf("read methods that are switched off: %w", err)
	}
	for _, m := range off {
		if m.Dialect == adminapi.Dialect && m.Method.Method == string(credential.APIKey) {
			if err := s.Methods().On(ctx, byOwner, home.ID, m.Method); err != nil {
				return err
			}
		}
	}
	return nil
}

// revokeAll ends every credential of a principal.
func (s *State) revokeAll(ctx context.Context, who principal.Principal) error {
	for after := ""; ; {
		list, err := s.Store.Credentials(ctx, credential.Filter{Tenant: who.Tenant, Principal: who.ID, After: after})
		if err != nil {
			return fmt.Errorf("list credentials: %w", err)
		}
		if len(list) == 0 {
			return nil
		}
		for _, c := range list {
			if !c.Revoked.IsZero() {
				continue
			}
			if _, err := s.Credentials().Revoke(ctx, byOwner, c); err != nil {
				return err
			}
		}
		after = list[len(list)-1].ID
	}
}
