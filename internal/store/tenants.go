package store

import (
	"context"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/id"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/tenant"
)

var _ tenant.Store = (*Store)(nil)

const (
	tenantColumns = `id, number, name, enabled, created`
	tenantByID    = `SELECT ` + tenantColumns + ` FROM tenant WHERE id = $1`
	tenantByName  = `SELECT ` + tenantColumns + ` FROM tenant WHERE name = $1`
)

func scanTenant(r Row, t *tenant.Tenant) error {
	return r.Scan(&t.ID, &t.Number, &t.Name, &t.Enabled, moment{&t.Created})
}

func tenantError(err error) error {
	return rename(err, ErrNotFound, tenant.ErrNotFound, ErrConflict, tenant.ErrExists)
}

// CreateTenant implements [tenant.Store].
func (s *Store) CreateTenant(ctx context.Context, t tenant.Tenant, e audit.Event) (tenant.Tenant, error) {
	t, err := put(ctx, s, func(q Querier) (tenant.Tenant, error) {
		t, err := insertTenant(ctx, q, t)
		if notFound(err) {
			err = ErrConflict
		}
		if err != nil {
			return t, err
		}
		return t, s.record(ctx, q, e, t.ID, t.ID)
	})
	return t, tenantError(err)
}

// EnsureTenant implements [tenant.Store].
func (s *Store) EnsureTenant(ctx context.Context, name string, e audit.Event) (tenant.Tenant, error) {
	t, err := s.TenantByName(ctx, name)
	if !notFound(err) {
		return t, err
	}
	t, err = put(ctx, s, func(q Querier) (tenant.Tenant, error) {
		t, err := insertTenant(ctx, q, tenant.Tenant{ID: id.New("ten"), Name: name, Enabled: true})
		if notFound(err) { // somebody else was faster
			return one(q.QueryRowContext(ctx, tenantByName, name), scanTenant)
		}
		if err != nil {
			return t, err
		}
		return t, s.record(ctx, q, e, t.ID, t.ID)
	})
	return t, tenantError(err)
}

// insertTenant stores t with the next number; ErrNotFound when the name is taken.
func insertTenant(ctx context.Context, q Querier, t tenant.Tenant) (tenant.Tenant, error) {
	n, err := take(ctx, q, tenantNumber)
	if err != nil {
		return t, err
	}
	return one(q.QueryRowContext(ctx, `
		INSERT INTO tenant (id, number, name, enabled, created) VALUES ($1, $2, $3, $4, db_now())
		ON CONFLICT (name) DO NOTHING
		RETURNING `+tenantColumns, t.ID, n, t.Name, t.Enabled), scanTenant)
}

// Tenant implements [tenant.Store].
func (s *Store) Tenant(ctx context.Context, id string) (tenant.Tenant, error) {
	return s.oneTenant(ctx, tenantByID, id)
}

// TenantByName implements [tenant.Store].
func (s *Store) TenantByName(ctx context.Context, name string) (tenant.Tenant, error) {
	return s.oneTenant(ctx, tenantByName, name)
}

func (s *Store) oneTenant(ctx context.Context, query string, arg string) (tenant.Tenant, error) {
	t, err := get(ctx, s, func(q Querier) (tenant.Tenant, error) {
		return one(q.QueryRowContext(ctx, query, arg), scanTenant)
	})
	return t, tenantError(err)
}

// Tenants implements [tenant.Store].
func (s *Store) Tenants(ctx context.Context) ([]tenant.Tenant, error) {
	return get(ctx, s, func(q Querier) ([]tenant.Tenant, error) {
		rows, err := q.QueryContext(ctx, `SELECT `+tenantColumns+` FROM tenant ORDER BY name`)
		return Collect(rows, err, scanTenant)
	})
}

// EnableTenant implements [tenant.Store].
func (s *Store) EnableTenant(ctx context.Context, id string, e audit.Event) error {
	return tenantError(s.engine.Write(ctx, func(q Querier) error {
		if err := must(ctx, q, `UPDATE tenant SET enabled = TRUE WHERE id = $1`, id); err != nil {
			return err
		}
		return s.record(ctx, q, e, id, id)
	}))
}

// DisableTenant implements [tenant.Store].
func (s *Store) DisableTenant(ctx context.Context, id string, e audit.Event) (int64, error) {
	n, err := put(ctx, s, func(q Querier) (int64, error) {
		if err := must(ctx, q, `UPDATE tenant SET enabled = FALSE WHERE id = $1`, id); err != nil {
			return 0, err
		}
		if err := s.record(ctx, q, e, id, id); err != nil {
			return 0, err
		}
		return s.end(ctx, q, "tenant disabled", revocation.Ground{Kind: revocation.Tenant, ID: id})
	})
	return n, tenantError(err)
}
