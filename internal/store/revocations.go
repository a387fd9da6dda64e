package store

import (
	"context"
	"errors"
	"time"

	"gatehouse.dev/internal/revocation"
)

var _ revocation.Store = (*Store)(nil)

// revocationChannel is notified with every entry of the log.
const revocationChannel = "gatehouse_revocation"

// ListenRevocations calls fn whenever the log may have grown, on whatever node
// that happened, until ctx ends.
func (s *Store) ListenRevocations(ctx context.Context, fn func()) error {
	return s.engine.Listen(ctx, revocationChannel, fn)
}

// Revoke implements [revocation.Store].
func (s *Store) Revoke(ctx context.Context, e revocation.Entry) (int64, error) {
	return put(ctx, s, func(q Querier) (int64, error) { return s.log(ctx, q, e) })
}

// end logs that what rests on any of the grounds is over.
func (s *Store) end(ctx context.Context, q Querier, reason string, g ...revocation.Ground) (int64, error) {
	return s.log(ctx, q, revocation.Entry{Effect: revocation.End, Grounds: g, Reason: reason})
}

// recheck logs that what is remembered of the grounds is stale.
func (s *Store) recheck(ctx context.Context, q Querier, reason string, g ...revocation.Ground) (int64, error) {
	return s.log(ctx, q, revocation.Entry{Effect: revocation.Recheck, Grounds: g, Reason: reason})
}

// log writes one entry under the next number. It is the last thing that a
// transaction does: the row of the counter is kept until the commit, so the
// order of numbers is the order of commits, and there are no gaps.
func (s *Store) log(ctx context.Context, q Querier, e revocation.Entry) (int64, error) {
	if len(e.Grounds) == 0 {
		return 0, errors.New("revocation without grounds")
	}
	if e.Effect != revocation.End && e.Effect != revocation.Recheck {
		return 0, errors.New("revocation without effect")
	}
	n, err := take(ctx, q, revocationNumber)
	if err != nil {
		return 0, err
	}
	_, err = exec(ctx, q, `INSERT INTO revocation (n, effect, reason, at) VALUES ($1, $2, $3, db_now())`,
		n, int64(e.Effect), e.Reason)
	if err != nil {
		return 0, err
	}
	for _, g := range e.Grounds {
		_, err := exec(ctx, q, `
			INSERT INTO revocation_ground (n, kind, id) VALUES ($1, $2, $3) ON CONFLICT (n, kind, id) DO NOTHING`,
			n, int64(g.Kind), g.ID)
		if err != nil {
			return 0, err
		}
	}
	return n, s.engine.Notify(ctx, q, revocationChannel)
}

// RevocationsSince implements [revocation.Store]. All of it is one snapshot.
func (s *Store) RevocationsSince(ctx context.Context, n int64, atMost int) (revocation.Batch, error) {
	if atMost <= 0 {
		atMost = 1000
	}
	return get(ctx, s, func(q Querier) (b revocation.Batch, err error) {
		err = q.QueryRowContext(ctx, `
			SELECT i.incarnation, c.n FROM installation i, counter c WHERE c.name = 'revocation'`).Scan(&b.Incarnation, &b.Head)
		if err != nil || b.Head <= n {
			return b, err
		}
		rows, err := q.QueryContext(ctx, `
			SELECT r.n, r.effect, r.reason, r.at, g.kind, g.id
			FROM (SELECT n, effect, reason, at FROM revocation WHERE n > $1 ORDER BY n LIMIT $2) r
			JOIN revocation_ground g ON g.n = r.n
			ORDER BY r.n, g.kind, g.id`, n, atMost)
		flat, err := Collect(rows, err, scanEntry)
		b.Entries = group(flat)
		return b, err
	})
}

// scanEntry reads an entry with one of its grounds.
func scanEntry(r Row, e *revocation.Entry) error {
	var g revocation.Ground
	err := r.Scan(&e.N, &e.Effect, &e.Reason, moment{&e.At}, &g.Kind, &g.ID)
	e.Grounds = []revocation.Ground{g}
	return err
}

// group puts entries of the same number, which stand together, into one.
func group(flat []revocation.Entry) []revocation.Entry {
	var out []revocation.Entry
	for _, e := range flat {
		if last := len(out) - 1; last >= 0 && out[last].N == e.N {
			out[last].Grounds = append(out[last].Grounds, e.Grounds...)
		} else {
			out = append(out, e)
		}
	}
	return out
}

// Heartbeat implements [revocation.Store].
func (s *Store) Heartbeat(ctx context.Context, node string, applied revocation.Position, receipts []revocation.Receipt) error {
	return s.engine.Write(ctx, func(q Querier) error {
		_, err := exec(ctx, q, `
			INSERT INTO node (id, incarnation, applied, seen) VALUES ($1, $2, $3, db_now())
			ON CONFLICT (id) DO UPDATE SET incarnation = excluded.incarnation, applied = excluded.applied, seen = excluded.seen`,
			node, applied.Incarnation, applied.N)
		if err != nil {
			return err
		}
		for _, r := range receipts {
			_, err := exec(ctx, q, `
				INSERT INTO receipt (change, node, sockets_closed, took, at) VALUES ($1, $2, $3, $4, db_now())
				ON CONFLICT (change, node) DO UPDATE SET sockets_closed = excluded.sockets_closed, took = excluded.took`,
				r.Change, node, r.SocketsClosed, r.Took.Microseconds())
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// LiveNodes implements [revocation.Store].
func (s *Store) LiveNodes(ctx context.Context, within time.Duration) ([]string, error) {
	return get(ctx, s, func(q Querier) ([]string, error) {
		rows, err := q.QueryContext(ctx, `SELECT id FROM node WHERE seen > db_now() - $1 ORDER BY id`, within.Microseconds())
		return Collect(rows, err, func(r Row, id *string) error { return r.Scan(id) })
	})
}

// Receipts implements [revocation.Store].
func (s *Store) Receipts(ctx context.Context, change int64) ([]revocation.Receipt, error) {
	return get(ctx, s, func(q Querier) ([]revocation.Receipt, error) {
		rows, err := q.QueryContext(ctx, `
			SELECT change, node, sockets_closed, took FROM receipt WHERE change = $1 ORDER BY node`, change)
		return Collect(rows, err, func(r Row, v *revocation.Receipt) error {
			return r.Scan(&v.Change, &v.Node, &v.SocketsClosed, span{&v.Took})
		})
	})
}
