package store

import (
	"context"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/tenant"
)

var _ tenant.Methods = (*Store)(nil)

// MethodsOff implements [tenant.Methods].
func (s *Store) MethodsOff(ctx context.Context, id string) ([]tenant.MethodOff, error) {
	return get(ctx, s, func(q Querier) ([]tenant.MethodOff, error) {
		rows, err := q.QueryContext(ctx, `
			SELECT dialect, method, since FROM method_off WHERE tenant = $1 ORDER BY dialect, method`, id)
		return Collect(rows, err, func(r Row, m *tenant.MethodOff) error {
			return r.Scan(&m.Dialect, &m.Method.Method, moment{&m.Since})
		})
	})
}

// SwitchMethodOff implements [tenant.Methods].
func (s *Store) SwitchMethodOff(ctx context.Context, id string, m tenant.Method, e audit.Event) (int64, error) {
	n, err := put(ctx, s, func(q Querier) (int64, error) {
		_, err := exec(ctx, q, `
			INSERT INTO method_off (tenant, dialect, method, since) VALUES ($1, $2, $3, db_now())
			ON CONFLICT (tenant, dialect, method) DO NOTHING`, id, m.Dialect, m.Method)
		if err != nil {
			return 0, err
		}
		if err := s.record(ctx, q, e, id, id); err != nil {
			return 0, err
		}
		ground := revocation.Ground{Kind: revocation.Method, ID: id + "/" + m.Dialect + "/" + m.Method}
		return s.end(ctx, q, "method switched off", ground)
	})
	return n, tenantError(rename(err, ErrReference, tenant.ErrNotFound))
}

// SwitchMethodOn implements [tenant.Methods].
func (s *Store) SwitchMethodOn(ctx context.Context, id string, m tenant.Method, e audit.Event) error {
	return tenantError(s.engine.Write(ctx, func(q Querier) error {
		_, err := exec(ctx, q, `DELETE FROM method_off WHERE tenant = $1 AND dialect = $2 AND method = $3`, id, m.Dialect, m.Method)
		if err != nil {
			return err
		}
		return s.record(ctx, q, e, id, id)
	}))
}
