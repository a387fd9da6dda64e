package store

import (
	"context"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/revocation"
)

// replaced is what ReplaceCredential returns.
type replaced struct {
	madeCredential
	change int64
}

// ReplaceCredential implements [credential.Store].
func (s *Store) ReplaceCredential(ctx context.Context, old string, ends time.Time, next credential.Credential, sec credential.Secret, e audit.Event) (credential.Credential, credential.Secret, int64, error) {
	out, err := put(ctx, s, func(q Querier) (r replaced, err error) {
		was, err := lockCredential(ctx, q, old)
		if err != nil {
			return r, err
		}
		if !was.Revoked.IsZero() {
			return r, credential.ErrRevoked
		}
		next.Tenant, next.Principal = was.Tenant, was.Principal
		next.Comment, next.Enabled, next.Constraints = was.Comment, was.Enabled, was.Constraints
		if r.madeCredential, err = insertCredential(ctx, q, next, []credential.Secret{sec}); err != nil {
			return r, err
		}
		if err := s.record(ctx, q, e, was.Tenant, was.ID); err != nil {
			return r, err
		}
		r.change, err = s.endReplaced(ctx, q, was.ID, ends)
		return r, err
	})
	if err != nil {
		return credential.Credential{}, credential.Secret{}, 0, credentialError(err)
	}
	return out.credential, out.secrets[0], out.change, nil
}

// endReplaced revokes the old credential, or lets it end at that time. The
// reasons are those by which a restore knows what became of it.
func (s *Store) endReplaced(ctx context.Context, q Querier, id string, ends time.Time) (int64, error) {
	ground := revocation.Ground{Kind: revocation.Credential, ID: id}
	if ends.IsZero() {
		if err := must(ctx, q, `UPDATE credential SET revoked = db_now() WHERE id = $1`, id); err != nil {
			return 0, err
		}
		return s.end(ctx, q, "credential revoked", ground)
	}
	if err := must(ctx, q, `UPDATE credential SET expires = CASE WHEN expires = 0 OR expires > $2 THEN $2 ELSE expires END WHERE id = $1`, id, us(ends)); err != nil {
		return 0, err
	}
	return s.recheck(ctx, q, "constraints changed", ground)
}
