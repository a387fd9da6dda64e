package gate

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/tenant"
)

// TenantStore is what the gate needs of the store.
type TenantStore interface {
	Tenant(ctx context.Context, id string) (tenant.Tenant, error)
}

// Log is what this node knows of rights taken away.
type Log interface {
	Position() revocation.Position
	Intact(g []revocation.Ground, asOf revocation.Position) bool
}

// resident is a tenant as it was read last. Disabling it is a revocation, after
// which it is read again before it is believed; enabling it again is none, so a
// disabled one is looked at now and then.
type resident struct {
	store TenantStore
	log   Log
	now   func() time.Time
	errs  *slog.Logger

	ground [1]revocation.Ground
	last   atomic.Pointer[reading]
}

type reading struct {
	tenant tenant.Tenant
	asOf   revocation.Position
	at     time.Time
}

const (
	lookAgain   = time.Second // at a tenant that is disabled
	readTimeout = 2 * time.Second
)

func newResident(o *Options, t tenant.Tenant) *resident {
	r := &resident{store: o.Store, log: o.Log, now: o.Now, errs: o.Logger, ground: [1]revocation.Ground{{Kind: revocation.Tenant, ID: t.ID}}}
	// Position zero: it is read at the first request.
	r.last.Store(&reading{tenant: t})
	return r
}

// get returns the tenant. When it cannot be read it counts as disabled.
func (r *resident) get(ctx context.Context) tenant.Tenant {
	last := r.last.Load()
	intact := !last.at.IsZero() && r.log.Intact(r.ground[:], last.asOf)
	if intact && (last.tenant.Enabled || r.now().Sub(last.at) < lookAgain) {
		return last.tenant
	}
	asOf, at := r.log.Position(), r.now() // before it is read
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
	defer cancel()
	t, err := r.store.Tenant(ctx, last.tenant.ID)
	if err != nil {
		r.errs.WarnContext(ctx, "tenant cannot be read", "tenant", last.tenant.Name, "error", err)
		t = last.tenant
		t.Enabled = false
		return t
	}
	r.last.Store(&reading{t, asOf, at})
	return t
}
