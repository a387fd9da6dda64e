package store

import (
	"bytes"
	"context"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/grant"
)

// presented is the refresh token that was shown, judged by the database's clock.
type presented struct {
	grant.Refresh
	expired  bool
	inWindow bool // rotated no longer than the window ago
}

// RotateRefresh implements [grant.Store]. The family is locked first, so of
// twenty that come with one token the first rotates, and the others find what
// it did.
func (s *Store) RotateRefresh(ctx context.Context, r grant.Rotation, reused audit.Event) (grant.Rotated, error) {
	var reuse bool
	out, err := put(ctx, s, func(q Querier) (out grant.Rotated, err error) {
		reuse = false
		f, err := lockFamilyOf(ctx, q, r.Presented)
		if err != nil {
			return out, err
		}
		p, err := readPresented(ctx, q, r.Presented, r.Window)
		if err != nil {
			return out, err
		}
		switch {
		case !f.alive:
			return out, grant.ErrEnded
		case p.Rotated.IsZero() && p.expired:
			return out, grant.ErrEnded
		case p.Rotated.IsZero():
			return out, rotate(ctx, q, p, r)
		}
		if out.Repeat, err = repeats(ctx, q, p, r); err != nil || out.Repeat {
			return out, err
		}
		reuse = true // which is to be committed, so it is no error yet
		out.Change, err = s.endFamily(ctx, q, f, "refresh token reused", reused)
		return out, err
	})
	if err == nil && reuse {
		err = grant.ErrReused
	}
	return out, grantError(err)
}

func readPresented(ctx context.Context, q Querier, digest []byte, window time.Duration) (presented, error) {
	return one(q.QueryRowContext(ctx, `
		SELECT `+refreshColumns+`, r.expires > 0 AND r.expires <= db_now(), r.rotated >= db_now() - $2
		FROM refresh_token r WHERE r.digest = $1`, digest, window.Microseconds()),
		func(r Row, p *presented) error {
			return r.Scan(append(refreshFields(&p.Refresh), &p.expired, &p.inWindow)...)
		})
}

// rotate spends p and stores its successor. Using p was the first use of p, so
// nobody needs to compute it from its predecessor any more.
func rotate(ctx context.Context, q Querier, p presented, r grant.Rotation) error {
	err := must(ctx, q, `UPDATE refresh_token SET rotated = db_now(), rotated_by = $2 WHERE digest = $1`,
		r.Presented, blob(r.By))
	if err != nil {
		return err
	}
	if p.Generation > 1 {
		_, err := exec(ctx, q, `UPDATE refresh_token SET salt = $3 WHERE family = $1 AND generation = $2`,
			p.Grant, p.Generation-1, []byte{})
		if err != nil {
			return err
		}
	}
	next := r.Next
	next.Grant, next.Generation = p.Grant, p.Generation+1
	return insertRefresh(ctx, q, next)
}

// repeats tells whether r is the request that rotated p, come again in time.
func repeats(ctx context.Context, q Querier, p presented, r grant.Rotation) (same bool, err error) {
	if !p.inWindow || len(p.Salt) == 0 || !bytes.Equal(p.RotatedBy, r.By) {
		return false, nil
	}
	err = q.QueryRowContext(ctx, `
		SELECT EXISTS (SELECT 1 FROM refresh_token WHERE family = $1 AND generation = $2 AND digest = $3)`,
		p.Grant, p.Generation+1, r.Next.Digest).Scan(&same)
	return same, err
}
