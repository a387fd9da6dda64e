package store

import (
	"context"

	"gatehouse.dev/internal/audit"
)

// Tip implements [audit.Store].
func (s *Store) Tip(ctx context.Context) (audit.Link, error) {
	return get(ctx, s, func(q Querier) (l audit.Link, err error) {
		err = q.QueryRowContext(ctx, `SELECT seq, hash FROM audit_tip`).Scan(&l.Seq, &l.Hash)
		if l.Seq == 0 {
			l.Hash = nil
		}
		return l, err
	})
}

// UnsealedEvents implements [audit.Store].
func (s *Store) UnsealedEvents(ctx context.Context, atMost int) ([]audit.Row, error) {
	return get(ctx, s, func(q Querier) ([]audit.Row, error) {
		rows, err := q.QueryContext(ctx, `
			SELECT `+auditColumns+` FROM audit_event WHERE seq IS NULL ORDER BY number LIMIT $1`, atMost)
		return Collect(rows, err, scanEvent)
	})
}

// SealEvents implements [audit.Store]. Moving the tip comes first: it makes a
// second sealer wait, and then find that the chain has moved.
func (s *Store) SealEvents(ctx context.Context, tip audit.Link, seals []audit.Seal) error {
	if len(seals) == 0 {
		return nil
	}
	last := seals[len(seals)-1]
	return s.engine.Write(ctx, func(q Querier) error {
		n, err := exec(ctx, q, `UPDATE audit_tip SET seq = $3, hash = $4 WHERE seq = $1 AND hash = $2`,
			tip.Seq, blob(tip.Hash), last.Seq, last.Hash)
		if err != nil {
			return err
		}
		if n == 0 {
			return audit.ErrMoved
		}
		for _, v := range seals {
			n, err := exec(ctx, q, `UPDATE audit_event SET seq = $2, hash = $3 WHERE number = $1 AND seq IS NULL`,
				v.Number, v.Seq, v.Hash)
			if err != nil {
				return err
			}
			if n == 0 {
				return audit.ErrMoved
			}
		}
		return nil
	})
}

// ChainedEvents implements [audit.Store].
func (s *Store) ChainedEvents(ctx context.Context, after int64, atMost int) ([]audit.Row, error) {
	return get(ctx, s, func(q Querier) ([]audit.Row, error) {
		rows, err := q.QueryContext(ctx, `
			SELECT `+auditColumns+` FROM audit_event WHERE seq > $1 ORDER BY seq LIMIT $2`, after, atMost)
		return Collect(rows, err, scanEvent)
	})
}

// AddHead implements [audit.Store].
func (s *Store) AddHead(ctx context.Context, h audit.Head) error {
	return s.engine.Write(ctx, func(q Querier) error {
		_, err := exec(ctx, q, `
			INSERT INTO audit_head (seq, hash, at, node, key_name, signature) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (seq) DO NOTHING`, h.Seq, h.Hash, us(h.At), h.Node, h.Key, h.Signature)
		return err
	})
}

// Heads implements [audit.Store].
func (s *Store) Heads(ctx context.Context, after int64, atMost int) ([]audit.Head, error) {
	return get(ctx, s, func(q Querier) ([]audit.Head, error) {
		rows, err := q.QueryContext(ctx, `
			SELECT seq, hash, at, node, key_name, signature FROM audit_head WHERE seq > $1 ORDER BY seq LIMIT $2`, after, atMost)
		return Collect(rows, err, func(r Row, h *audit.Head) error {
			return r.Scan(&h.Seq, &h.Hash, moment{&h.At}, &h.Node, &h.Key, &h.Signature)
		})
	})
}

// TrimEvents implements [audit.Store]. Without a head at upTo the rest of the
// chain would hang in the air, so that is refused as ErrMoved.
func (s *Store) TrimEvents(ctx context.Context, upTo audit.Link, e audit.Event) (int64, error) {
	return put(ctx, s, func(q Querier) (int64, error) {
		n, err := exec(ctx, q, `UPDATE audit_head SET at = at WHERE seq = $1 AND hash = $2`, upTo.Seq, blob(upTo.Hash))
		if err != nil {
			return 0, err
		}
		if n == 0 {
			return 0, audit.ErrMoved
		}
		if _, err := exec(ctx, q, `DELETE FROM audit_head WHERE seq < $1`, upTo.Seq); err != nil {
			return 0, err
		}
		n, err = exec(ctx, q, `DELETE FROM audit_event WHERE seq <= $1`, upTo.Seq)
		if err != nil {
			return 0, err
		}
		return n, s.record(ctx, q, e, "", "")
	})
}
