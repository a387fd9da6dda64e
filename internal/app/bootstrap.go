package app

import (
	"context"
	"errors"
	"fmt"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/tenant"
)

// Administrator is somebody who may use the admin API for everything. Token is
// the API key, which nobody can show a second time.
type Administrator struct {
	Principal  principal.Principal
	Credential credential.Credential
	Token      secret.Text
}

// ErrInitialised says that there is an administrator of that name already.
var ErrInitialised = errors.New("already initialised")

// FirstAdministrator makes the user who makes all others, with an API key. It
// works on an installation that no server runs on yet.
func FirstAdministrator(ctx context.Context, s *State, name string) (Administrator, error) {
	home, err := s.ensureTenant(ctx, tenant.Default)
	if err != nil {
		return Administrator{}, err
	}
	roles, err := policy.New(s.Store, settled{}, policyParts()...)
	if err != nil {
		return Administrator{}, fmt.Errorf("read the policies of the program: %w", err)
	}
	by := audit.By{Actor: "local", Dialect: "cli"}
	who, err := s.Principals(roles).Create(ctx, by, principal.Principal{
		Tenant: home.ID, Kind: principal.User, Name: name, Comment: "first administrator", Enabled: true,
		Roles: []string{principal.InstallationRole},
	})
	if errors.Is(err, principal.ErrExists) {
		return Administrator{}, fmt.Errorf("%w: there is a user %s; gatehouse admin reset lets one in who is locked out", ErrInitialised, name)
	}
	if err != nil {
		return Administrator{}, fmt.Errorf("make the first administrator: %w", err)
	}
	issued, err := s.Credentials().Create(ctx, by, who, credential.Spec{Kind: credential.APIKey, Comment: "made with the installation"})
	if err != nil {
		return Administrator{}, fmt.Errorf("make the first administrator's key: %w", err)
	}
	return Administrator{Principal: who, Credential: issued.Credential, Token: issued.Text}, nil
}

// settled is a revocation log in which nothing happens: nobody but this process
// is at work on the installation.
type settled struct{}

func (settled) Position() revocation.Position                        { return revocation.Position{} }
func (settled) Intact([]revocation.Ground, revocation.Position) bool { return true }

// policyParts are the rules that dialects bring along.
func policyParts() []policy.Part { return nil }
