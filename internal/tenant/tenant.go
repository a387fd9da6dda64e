// Package tenant has the organisations that share one Gatehouse. Everything
// else belongs to exactly one of them.
package tenant

import (
	"context"
	"errors"
	"time"

	"gatehouse.dev/internal/audit"
)

// Default is the name of the tenant that exists without being configured.
const Default = "default"

// Errors that a Store returns.
var (
	ErrNotFound = errors.New("no such tenant")
	ErrExists   = errors.New("a tenant of that name exists")
)

// Tenant is one organisation.
type Tenant struct {
	ID      string // "ten_…"
	Number  int64  // given once, never reused; the Ayyeka account number
	Name    string // unique, bytewise, normalised
	Enabled bool
	Created time.Time
}

// Store is what tenants need from persistence. Every change writes its audit
// event in the same transaction.
type Store interface {
	// EnsureTenant returns the tenant of that name, making it when absent.
	EnsureTenant(ctx context.Context, name string, e audit.Event) (Tenant, error)
	CreateTenant(ctx context.Context, t Tenant, e audit.Event) (Tenant, error) // assigns Number
	Tenant(ctx context.Context, id string) (Tenant, error)
	TenantByName(ctx context.Context, name string) (Tenant, error)
	Tenants(ctx context.Context) ([]Tenant, error)
	EnableTenant(ctx context.Context, id string, e audit.Event) error
	// DisableTenant revokes the ground of the tenant and returns the number of
	// that change.
	DisableTenant(ctx context.Context, id string, e audit.Event) (change int64, err error)
}
