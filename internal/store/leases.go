package store

import (
	"context"
	"time"
)

// AcquireLease gives or renews the named lease, unless another holder has it.
// Time is the database's.
func (s *Store) AcquireLease(ctx context.Context, name, holder string, ttl time.Duration) (bool, error) {
	return put(ctx, s, func(q Querier) (bool, error) {
		n, err := exec(ctx, q, `
			INSERT INTO lease (name, holder, expires) VALUES ($1, $2, db_now() + $3)
			ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires = excluded.expires
				WHERE lease.holder = excluded.holder OR lease.expires <= db_now()`,
			name, holder, ttl.Microseconds())
		return n == 1, err
	})
}

// ReleaseLease ends the lease early if it still is the holder's.
func (s *Store) ReleaseLease(ctx context.Context, name, holder string) error {
	return s.engine.Write(ctx, func(q Querier) error {
		_, err := exec(ctx, q, `DELETE FROM lease WHERE name = $1 AND holder = $2`, name, holder)
		return err
	})
}
