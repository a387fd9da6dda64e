// Package principal has those who can act: users, API clients, applications,
// devices and the bearers of tokens, with the roles they hold.
package principal

import (
	"context"
	"errors"
	"time"

	"gatehouse.dev/internal/audit"
)

// Errors that a Store returns.
var (
	ErrNotFound = errors.New("no such principal")
	ErrExists   = errors.New("a principal of that kind and name exists")
)

// Kind says what sort of caller a principal is.
type Kind string

// The kinds.
const (
	User        Kind = "user"
	Client      Kind = "client" // an API client: a program
	Application Kind = "application"
	Device      Kind = "device"
	Bearer      Kind = "bearer" // whoever holds a scoped token
)

// Roles that the program itself gives a meaning.
const (
	// AdminRole may use the admin API for its tenant.
	AdminRole = "gatehouse/administrator"
	// AuditorRole may read in the admin API, and change nothing.
	AuditorRole = "gatehouse/auditor"
	// InstallationRole, held in the default tenant, may use the admin API for
	// every tenant. Only who has it can give it or touch who has it.
	InstallationRole = "gatehouse/installation"
)

// Principal is one caller.
type Principal struct {
	ID          string // "usr_…", "cli_…", "app_…", "dev_…", "bea_…"
	Number      int64  // given once, never reused; first half of Ayyeka's sub
	Tenant      string // tenant id
	Kind        Kind
	Name        string // unique per tenant and kind after normalisation
	DisplayName string
	Comment     string
	Enabled     bool
	// NotBefore ends every token issued earlier (zero: none ended).
	NotBefore time.Time
	// ReuseWindow is how long the same token may be given again to the same
	// request of this client; zero (the default) gives a new token each time.
	ReuseWindow time.Duration
	Roles       []string // names, sorted
	Created     time.Time
}

// Filter narrows a listing; zero fields match all.
type Filter struct {
	Tenant string
	Kind   Kind
	Name   string
	After  string // id to go on after
	Limit  int    // 0: 100; at most 1000
}

// Update names what to change; nil fields stay.
type Update struct {
	DisplayName *string
	Comment     *string
	ReuseWindow *time.Duration
}

// Store is what principals need from persistence. Every change writes its
// audit event in the same transaction; those that take a right away return the
// number of the revocation they wrote.
type Store interface {
	CreatePrincipal(ctx context.Context, p Principal, e audit.Event) (Principal, error) // assigns Number, stores Roles
	Principal(ctx context.Context, id string) (Principal, error)
	PrincipalByName(ctx context.Context, tenant string, k Kind, name string) (Principal, error)
	Principals(ctx context.Context, f Filter) ([]Principal, error)
	UpdatePrincipal(ctx context.Context, id string, u Update, e audit.Event) error
	EnablePrincipal(ctx context.Context, id string, e audit.Event) error
	// DisablePrincipal revokes the ground of the principal.
	DisablePrincipal(ctx context.Context, id string, e audit.Event) (change int64, err error)
	// DeletePrincipal removes principal, credentials and roles, and revokes.
	DeletePrincipal(ctx context.Context, id string, e audit.Event) (change int64, err error)
	// EndTokensBefore sets NotBefore and revokes the ground of the principal's
	// tokens (revocation.TokensOf).
	EndTokensBefore(ctx context.Context, id string, at time.Time, e audit.Event) (change int64, err error)

	// GrantRole gives a role. It writes a revocation of effect Recheck (what is
	// remembered of the principal's roles is stale), as does RemoveRole, whose
	// revocation names the ground of the assignment.
	GrantRole(ctx context.Context, id, role string, e audit.Event) (change int64, err error)
	RemoveRole(ctx context.Context, id, role string, e audit.Event) (change int64, err error)
}
