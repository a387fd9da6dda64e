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

// Method is one way of showing a credential to one dialect, such as "password"
// to "gateway". All that a dialect has are on until an administrator switches
// one off.
type Method struct {
	Dialect string
	Method  string // an identity.Method
}

// MethodOff is a method that is switched off.
type MethodOff struct {
	Method
	Since time.Time
}

// Methods is what switching methods needs from persistence.
type Methods interface {
	// MethodsOff lists what is switched off for a tenant.
	MethodsOff(ctx context.Context, tenant string) ([]MethodOff, error)
	// SwitchMethodOff revokes the ground "<tenant>/<dialect>/<method>" and
	// returns the number of that change, anew each time.
	SwitchMethodOff(ctx context.Context, tenant string, m Method, e audit.Event) (change int64, err error)
	SwitchMethodOn(ctx context.Context, tenant string, m Method, e audit.Event) error
}
