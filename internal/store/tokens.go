package store

import (
	"context"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/token"
)

// RevokeToken implements [token.Store].
func (s *Store) RevokeToken(ctx context.Context, t token.RevokedToken, e audit.Event) (int64, error) {
	return put(ctx, s, func(q Querier) (change int64, err error) {
		// The row is claimed first: who comes second waits here, and then
		// finds the change of the first.
		n, err := exec(ctx, q, `
			INSERT INTO revoked_token (hash, tenant, principal, expires, change) VALUES ($1, $2, $3, $4, 0)
			ON CONFLICT (hash) DO NOTHING`, t.Hash, t.Tenant, t.Principal, us(t.Expires))
		if err != nil {
			return 0, err
		}
		if n == 0 {
			err = q.QueryRowContext(ctx, `SELECT change FROM revoked_token WHERE hash = $1`, t.Hash).Scan(&change)
			return change, err
		}
		if err := s.record(ctx, q, e, t.Tenant, t.Hash); err != nil {
			return 0, err
		}
		if change, err = s.end(ctx, q, "token revoked", revocation.Ground{Kind: revocation.Token, ID: t.Hash}); err != nil {
			return 0, err
		}
		return change, must(ctx, q, `UPDATE revoked_token SET change = $2 WHERE hash = $1`, t.Hash, change)
	})
}

// TokenRevoked implements [token.Store].
func (s *Store) TokenRevoked(ctx context.Context, hash string) (bool, error) {
	return get(ctx, s, func(q Querier) (there bool, err error) {
		err = q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM revoked_token WHERE hash = $1)`, hash).Scan(&there)
		return there, err
	})
}

const opaqueColumns = `id, digest, tenant, principal, credential, secret, family, scopes, audience, proof_key, issued, expires, revoked`

func scanOpaque(r Row, t *token.Opaque) error {
	return r.Scan(&t.ID, &t.Digest, &t.Tenant, &t.Principal, &t.Credential, &t.Secret, &t.Grant, jsonInto{&t.Scopes},
		jsonInto{&t.Audience}, &t.ProofKey, moment{&t.Issued}, moment{&t.Expires}, moment{&t.Revoked})
}

// AddOpaque implements [token.Store].
func (s *Store) AddOpaque(ctx context.Context, t token.Opaque, e ...audit.Event) error {
	return s.engine.Write(ctx, func(q Querier) error {
		_, err := exec(ctx, q, `
			INSERT INTO opaque_token (`+opaqueColumns+`, change)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0)`,
			t.ID, t.Digest, t.Tenant, t.Principal, t.Credential, t.Secret, t.Grant, jsonText(t.Scopes),
			jsonText(t.Audience), t.ProofKey, us(t.Issued), us(t.Expires), us(t.Revoked))
		for i := 0; err == nil && i < len(e); i++ {
			err = s.record(ctx, q, e[i], t.Tenant, t.ID)
		}
		return err
	})
}

// OpaqueByDigest implements [token.Store].
func (s *Store) OpaqueByDigest(ctx context.Context, tenant string, digests [][]byte) (token.Opaque, error) {
	t, err := get(ctx, s, func(q Querier) (t token.Opaque, err error) {
		err = ErrNotFound
		for _, d := range digests {
			t, err = one(q.QueryRowContext(ctx, `
				SELECT `+opaqueColumns+` FROM opaque_token WHERE digest = $1 AND tenant = $2`, d, tenant), scanOpaque)
			if !notFound(err) {
				break
			}
		}
		return t, err
	})
	return t, tokenError(err)
}

// Opaques implements [token.Store].
func (s *Store) Opaques(ctx context.Context, tenant, principal string, atMost int) ([]token.Opaque, error) {
	list, err := get(ctx, s, func(q Querier) ([]token.Opaque, error) {
		rows, err := q.QueryContext(ctx, `
			SELECT `+opaqueColumns+` FROM opaque_token
			WHERE tenant = $1 AND principal = $2 AND expires > db_now()
			ORDER BY issued DESC, id LIMIT $3`, tenant, principal, limit(atMost))
		return Collect(rows, err, scanOpaque)
	})
	for i := range list {
		list[i].Digest = nil
	}
	return list, err
}

// RevokeOpaque implements [token.Store]. Doing so again returns the first
// change.
func (s *Store) RevokeOpaque(ctx context.Context, id string, at time.Time, e audit.Event) (int64, error) {
	n, err := put(ctx, s, func(q Querier) (int64, error) {
		// Setting it to what it is locks the row.
		var tenant string
		var change int64
		err := q.QueryRowContext(ctx, `UPDATE opaque_token SET change = change WHERE id = $1 RETURNING tenant, change`, id).
			Scan(&tenant, &change)
		if err != nil || change != 0 {
			return change, err
		}
		if err := s.record(ctx, q, e, tenant, id); err != nil {
			return 0, err
		}
		if change, err = s.end(ctx, q, "token revoked", revocation.Ground{Kind: revocation.Token, ID: id}); err != nil {
			return 0, err
		}
		return change, must(ctx, q, `UPDATE opaque_token SET revoked = $2, change = $3 WHERE id = $1`, id, us(at), change)
	})
	return n, tokenError(err)
}

// SweepTokens implements [token.Store].
func (s *Store) SweepTokens(ctx context.Context, before time.Time) (int64, error) {
	return s.sweep(ctx,
		chunk{query: `DELETE FROM revoked_token WHERE hash IN (SELECT hash FROM revoked_token WHERE expires < $1 LIMIT $2)`, before: us(before)},
		chunk{query: `DELETE FROM opaque_token WHERE id IN (SELECT id FROM opaque_token WHERE expires < $1 LIMIT $2)`, before: us(before)})
}
