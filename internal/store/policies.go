package store

import (
	"context"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/revocation"
)

var _ policy.Store = (*Store)(nil)

// PolicySet implements [policy.Store].
func (s *Store) PolicySet(ctx context.Context, tenant string) (policy.Set, error) {
	return get(ctx, s, func(q Querier) (policy.Set, error) {
		p, err := one(q.QueryRowContext(ctx, `SELECT version, cedar, roles FROM policy_set WHERE tenant = $1`, tenant),
			func(r Row, p *policy.Set) error { return r.Scan(&p.Version, &p.Cedar, jsonInto{&p.Roles}) })
		if notFound(err) {
			err = nil
		}
		p.Tenant = tenant
		return p, err
	})
}

// PutPolicySet implements [policy.Store].
func (s *Store) PutPolicySet(ctx context.Context, p policy.Set, e audit.Event) (int64, error) {
	query := `UPDATE policy_set SET version = $2 + 1, cedar = $3, roles = $4 WHERE tenant = $1 AND version = $2`
	if p.Version == 0 {
		query = `INSERT INTO policy_set (tenant, version, cedar, roles) VALUES ($1, $2 + 1, $3, $4) ON CONFLICT (tenant) DO NOTHING`
	}
	return put(ctx, s, func(q Querier) (int64, error) {
		n, err := exec(ctx, q, query, p.Tenant, p.Version, p.Cedar, jsonText(p.Roles))
		if err != nil {
			return 0, err
		}
		if n == 0 {
			return 0, policy.ErrChanged
		}
		if err := s.record(ctx, q, e, p.Tenant, p.Tenant); err != nil {
			return 0, err
		}
		return s.recheck(ctx, q, "policies changed", revocation.Ground{Kind: revocation.Policy, ID: p.Tenant})
	})
}
