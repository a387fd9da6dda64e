package store

import (
	"context"
	"time"
)

// sweepRows is how many rows one transaction of a sweep removes: few enough
// that nobody notices the wait.
const sweepRows = 500

// chunk removes or changes at most $2 rows that are older than $1.
type chunk struct {
	query  string
	before int64
	more   []any // $3 and on
}

// sweep repeats each chunk, in a transaction of its own each time, until there
// is nothing left of it.
func (s *Store) sweep(ctx context.Context, chunks ...chunk) (total int64, err error) {
	for _, c := range chunks {
		for {
			args := append([]any{c.before, sweepRows}, c.more...)
			n, err := put(ctx, s, func(q Querier) (int64, error) { return exec(ctx, q, c.query, args...) })
			total += n
			if err != nil {
				return total, err
			}
			if n < sweepRows {
				break
			}
		}
	}
	return total, nil
}

// Retention says how long what has done its work stays.
type Retention struct {
	// Log is for entries of the revocation log. It bounds how old a backup may
	// be into which newer revocations are carried over.
	Log time.Duration
	// Receipts is for what nodes reported on a revocation.
	Receipts time.Duration
	// Nodes is for nodes that were not seen any more.
	Nodes time.Duration
	// Secrets is for secrets that have ended, and for the numbers by which
	// old tokens name them.
	Secrets time.Duration
	// Leases is for leases that have ended.
	Leases time.Duration
}

// DefaultRetention is used for what is zero.
var DefaultRetention = Retention{
	Log:      90 * 24 * time.Hour,
	Receipts: 30 * 24 * time.Hour,
	Nodes:    7 * 24 * time.Hour,
	Secrets:  90 * 24 * time.Hour,
	Leases:   24 * time.Hour,
}

func (r Retention) orDefault() Retention {
	for _, f := range []struct{ have, want *time.Duration }{
		{&r.Log, &DefaultRetention.Log}, {&r.Receipts, &DefaultRetention.Receipts}, {&r.Nodes, &DefaultRetention.Nodes},
		{&r.Secrets, &DefaultRetention.Secrets}, {&r.Leases, &DefaultRetention.Leases},
	} {
		if *f.have == 0 {
			*f.have = *f.want
		}
	}
	return r
}

// Sweep removes what is older than its retention by the database's clock:
// entries of the revocation log, receipts, nodes, leases and secrets that
// ended. Tokens, grants and audit rows have sweeps of their own. The newest
// entry of the log always stays, for the next to follow it.
func (s *Store) Sweep(ctx context.Context, r Retention) (int64, error) {
	now, err := s.engine.Now(ctx)
	if err != nil {
		return 0, err
	}
	r = r.orDefault()
	before := func(d time.Duration) int64 { return us(now.Add(-d)) }
	return s.sweep(ctx,
		chunk{query: `DELETE FROM revocation WHERE n IN (
			SELECT n FROM revocation WHERE at < $1 AND n < (SELECT MAX(n) FROM revocation) ORDER BY n LIMIT $2)`, before: before(r.Log)},
		chunk{query: `DELETE FROM receipt WHERE (change, node) IN (SELECT change, node FROM receipt WHERE at < $1 LIMIT $2)`, before: before(r.Receipts)},
		chunk{query: `DELETE FROM node WHERE id IN (SELECT id FROM node WHERE seen < $1 LIMIT $2)`, before: before(r.Nodes)},
		chunk{query: `DELETE FROM lease WHERE name IN (SELECT name FROM lease WHERE expires < $1 LIMIT $2)`, before: before(r.Leases)},
		chunk{query: `DELETE FROM credential WHERE id IN (SELECT id FROM credential
			WHERE kind = 'scoped_token' AND expires > 0 AND expires < $1 LIMIT $2)`, before: before(r.Secrets)},
		chunk{query: `DELETE FROM secret WHERE id IN (SELECT id FROM secret
			WHERE kind <> 'api_key' AND ((revoked > 0 AND revoked < $1) OR (expires > 0 AND expires < $1)) LIMIT $2)`, before: before(r.Secrets)})
}
