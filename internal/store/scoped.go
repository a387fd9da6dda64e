package store

import (
	"context"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/revocation"
)

// TakeUse implements [credential.Store]. The count and the look at the limit are
// one statement, so of many logins at once no more than the limit get through.
func (s *Store) TakeUse(ctx context.Context, id string) error {
	err := s.engine.Write(ctx, func(q Querier) error {
		return must(ctx, q, `UPDATE credential SET uses = uses + 1 WHERE id = $1 AND (max_uses = 0 OR uses < max_uses)`, id)
	})
	return rename(err, ErrNotFound, credential.ErrUsedUp)
}

// scopedEnded is what RevokeScoped returns.
type scopedEnded struct {
	n      int
	change int64
}

// RevokeScoped implements [credential.Store].
func (s *Store) RevokeScoped(ctx context.Context, tenant, resourceType, resourceKey string, e audit.Event) (int, int64, error) {
	out, err := put(ctx, s, func(q Querier) (out scopedEnded, err error) {
		rows, err := q.QueryContext(ctx, `
			UPDATE credential SET revoked = db_now()
			WHERE tenant = $1 AND scope_type = $2 AND scope_key = $3 AND kind = 'scoped_token' AND revoked = 0
			RETURNING id`, tenant, resourceType, resourceKey)
		grounds, err := Collect(rows, err, func(r Row, g *revocation.Ground) error {
			g.Kind = revocation.Credential
			return r.Scan(&g.ID)
		})
		if err != nil || len(grounds) == 0 {
			return out, err
		}
		if err := s.record(ctx, q, e, tenant, resourceType+"/"+resourceKey); err != nil {
			return out, err
		}
		out.n = len(grounds)
		out.change, err = s.end(ctx, q, "tokens of a resource revoked", grounds...)
		return out, err
	})
	return out.n, out.change, credentialError(err)
}
