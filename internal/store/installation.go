package store

import "context"

// Incarnation returns the incarnation of the database.
func (s *Store) Incarnation(ctx context.Context) (int64, error) {
	return get(ctx, s, func(q Querier) (n int64, err error) {
		err = q.QueryRowContext(ctx, `SELECT incarnation FROM installation`).Scan(&n)
		return n, err
	})
}
