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
	who, err := s.makeAdministrator(ctx, home, name)
	if errors.Is(err, principal.ErrExists) {
		return Administrator{}, fmt.Errorf("%w: there is a user %s; gatehouse admin reset lets one in who is locked out", ErrInitialised, name)
	}
	if err != nil {
		return Administrator{}, fmt.Errorf("make the first administrator: %w", err)
	}
	return s.keyFor(ctx, who, "made with the installation")
}

// LetIn is FirstAdministrator for whoever owns the machine and comes back: an
// administrator of that name who exists gets one more key.
func LetIn(ctx context.Context, s *State, name, why string) (Administrator, error) {
	home, err := s.ensureTenant(ctx, tenant.Default)
	if err != nil {
		return Administrator{}, err
	}
	who, err := s.makeAdministrator(ctx, home, name)
	if errors.Is(err, principal.ErrExists) {
		who, err = s.Store.PrincipalByName(ctx, home.ID, principal.User, name)
	}
	if err != nil {
		return Administrator{}, fmt.Errorf("find the administrator: %w", err)
	}
	return s.keyFor(ctx, who, why)
}

// byOwner is whoever may read the master key and the database.
var byOwner = audit.By{Actor: "local", Dialect: "cli"}

func (s *State) makeAdministrator(ctx context.Context, home tenant.Tenant, name string) (principal.Principal, error) {
	roles, err := policy.New(s.Store, settled{}, policyParts()...)
	if err != nil {
		return principal.Principal{}, fmt.Errorf("read the policies of the program: %w", err)
	}
	return s.Principals(roles).Create(ctx, byOwner, principal.Principal{
		Tenant: home.ID, Kind: principal.User, Name: name, Comment: "administrator of the installation", Enabled: true,
		Roles: []string{principal.InstallationRole},
	})
}

func (s *State) keyFor(ctx context.Context, who principal.Principal, why string) (Administrator, error) {
	issued, err := s.Credentials().Create(ctx, byOwner, who, credential.Spec{Kind: credential.APIKey, Comment: why})
	if err != nil {
		return Administrator{}, fmt.Errorf("make a key for %s: %w", who.Name, err)
	}
	return Administrator{Principal: who, Credential: issued.Credential, Token: issued.Text}, nil
}

// settled is a revocation log in which nothing happens: nobody but this process
// is at work on the installation.
type settled struct{}

func (settled) Position() revocation.Position                        { return revocation.Position{} }
func (settled) Intact([]revocation.Ground, revocation.Position) bool { return true }
