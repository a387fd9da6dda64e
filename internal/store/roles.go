package store

import (
	"context"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/revocation"
)

// GrantRole implements [principal.Store]. What is remembered of the principal
// does not know the role yet, hence the recheck.
func (s *Store) GrantRole(ctx context.Context, id, role string, e audit.Event) (int64, error) {
	return s.changeRole(ctx, id, e, "role granted", revocation.Ground{Kind: revocation.Principal, ID: id},
		func(q Querier) error { return addRole(ctx, q, id, role) })
}

// RemoveRole implements [principal.Store]. Removing a role that is not held
// revokes all the same: it does no harm, and the caller gets a receipt.
func (s *Store) RemoveRole(ctx context.Context, id, role string, e audit.Event) (int64, error) {
	return s.changeRole(ctx, id, e, "role removed", revocation.Ground{Kind: revocation.Role, ID: id + "/" + role},
		func(q Querier) error {
			_, err := exec(ctx, q, `DELETE FROM principal_role WHERE principal = $1 AND role = $2`, id, role)
			return err
		})
}

func (s *Store) changeRole(ctx context.Context, id string, e audit.Event, reason string, g revocation.Ground, change func(Querier) error) (int64, error) {
	n, err := put(ctx, s, func(q Querier) (int64, error) {
		p, err := lockPrincipal(ctx, q, id)
		if err != nil {
			return 0, err
		}
		if err := change(q); err != nil {
			return 0, err
		}
		if err := s.record(ctx, q, e, p.Tenant, id); err != nil {
			return 0, err
		}
		return s.recheck(ctx, q, reason, g)
	})
	return n, principalError(err)
}

func addRole(ctx context.Context, q Querier, principal, role string) error {
	_, err := exec(ctx, q, `
		INSERT INTO principal_role (principal, role, granted) VALUES ($1, $2, db_now())
		ON CONFLICT (principal, role) DO NOTHING`, principal, role)
	return err
}

// rolesOf returns the names of the roles of one principal, sorted.
func rolesOf(ctx context.Context, q Querier, principal string) ([]string, error) {
	rows, err := q.QueryContext(ctx, `SELECT role FROM principal_role WHERE principal = $1 ORDER BY role`, principal)
	return Collect(rows, err, func(r Row, role *string) error { return r.Scan(role) })
}

// rolesOfMany returns the roles of the principals that a query of ids finds.
func rolesOfMany(ctx context.Context, q Querier, ids string, args []any) (map[string][]string, error) {
	type held struct{ principal, role string }
	rows, err := q.QueryContext(ctx, `
		SELECT principal, role FROM principal_role WHERE principal IN (`+ids+`) ORDER BY principal, role`, args...)
	list, err := Collect(rows, err, func(r Row, h *held) error { return r.Scan(&h.principal, &h.role) })
	all := make(map[string][]string)
	for _, h := range list {
		all[h.principal] = append(all[h.principal], h.role)
	}
	return all, err
}
