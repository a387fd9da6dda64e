package store

import (
	"context"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/token"
)

var _ token.Store = (*Store)(nil)

const signingKeyColumns = `id, tenant, use, alg, state, public_key, private_key, life, created, activated, retired, ended`

func scanSigningKey(r Row, k *token.SigningKey) error {
	return r.Scan(&k.ID, &k.Tenant, &k.Use, &k.Alg, &k.State, &k.Public, &k.Private, span{&k.Life},
		moment{&k.Created}, moment{&k.Activated}, moment{&k.Retired}, moment{&k.Ended})
}

func tokenError(err error) error { return rename(err, ErrNotFound, token.ErrNotFound) }

// SigningKeys implements [token.Store].
func (s *Store) SigningKeys(ctx context.Context, tenant string) ([]token.SigningKey, error) {
	return get(ctx, s, func(q Querier) ([]token.SigningKey, error) {
		rows, err := q.QueryContext(ctx, `
			SELECT `+signingKeyColumns+` FROM signing_key WHERE tenant = $1 ORDER BY created DESC, id`, tenant)
		return Collect(rows, err, scanSigningKey)
	})
}

// AddNextKey implements [token.Store].
func (s *Store) AddNextKey(ctx context.Context, k token.SigningKey, e audit.Event) (token.SigningKey, error) {
	return put(ctx, s, func(q Querier) (token.SigningKey, error) {
		made, err := one(q.QueryRowContext(ctx, `
			INSERT INTO signing_key (id, tenant, use, alg, state, public_key, private_key, life, created, activated, retired, ended)
			VALUES ($1, $2, $3, $4, 'next', $5, $6, $7, $8, 0, 0, 0)
			ON CONFLICT (tenant, use, alg) WHERE state = 'next' DO NOTHING
			RETURNING `+signingKeyColumns,
			k.ID, k.Tenant, k.Use, string(k.Alg), k.Public, blob(k.Private), k.Life.Microseconds(), us(k.Created)), scanSigningKey)
		if notFound(err) {
			return one(q.QueryRowContext(ctx, `
				SELECT `+signingKeyColumns+` FROM signing_key
				WHERE tenant = $1 AND use = $2 AND alg = $3 AND state = 'next'`, k.Tenant, k.Use, string(k.Alg)), scanSigningKey)
		}
		if err != nil {
			return made, err
		}
		return made, s.record(ctx, q, e, k.Tenant, k.ID)
	})
}

// ActivateKey implements [token.Store]. Of several that try at once, the first
// to retire the old key wins; the others find the next one gone.
func (s *Store) ActivateKey(ctx context.Context, id string, at time.Time, e audit.Event) error {
	return tokenError(s.engine.Write(ctx, func(q Querier) error {
		k, err := one(q.QueryRowContext(ctx, `SELECT `+signingKeyColumns+` FROM signing_key WHERE id = $1`, id), scanSigningKey)
		if err != nil {
			return err
		}
		if k.State != token.Next {
			return token.ErrKeyState
		}
		if _, err := exec(ctx, q, `
			UPDATE signing_key SET state = 'retiring', retired = $4
			WHERE tenant = $1 AND use = $2 AND alg = $3 AND state = 'active'`, k.Tenant, k.Use, string(k.Alg), us(at)); err != nil {
			return err
		}
		n, err := exec(ctx, q, `UPDATE signing_key SET state = 'active', activated = $2 WHERE id = $1 AND state = 'next'`, id, us(at))
		if err != nil {
			return err
		}
		if n == 0 {
			return token.ErrKeyState
		}
		return s.record(ctx, q, e, k.Tenant, id)
	}))
}

// DistrustKey implements [token.Store].
func (s *Store) DistrustKey(ctx context.Context, id string, at time.Time, e audit.Event) (int64, error) {
	return s.endKey(ctx, id, e, "signing key distrusted", func(q Querier) (token.SigningKey, error) {
		k, err := one(q.QueryRowContext(ctx, `
			UPDATE signing_key SET state = 'distrusted', ended = $2
			WHERE id = $1 AND state IN ('next', 'active', 'retiring')
			RETURNING `+signingKeyColumns, id, us(at)), scanSigningKey)
		if err != nil || k.Activated.IsZero() || !k.Retired.IsZero() {
			return k, err
		}
		// It was the active one: it signs no more, and the next takes over.
		if _, err := exec(ctx, q, `UPDATE signing_key SET retired = $2 WHERE id = $1`, id, us(at)); err != nil {
			return k, err
		}
		_, err = exec(ctx, q, `
			UPDATE signing_key SET state = 'active', activated = $4
			WHERE tenant = $1 AND use = $2 AND alg = $3 AND state = 'next'`, k.Tenant, k.Use, string(k.Alg), us(at))
		return k, err
	})
}

// SealKey implements [token.Store].
func (s *Store) SealKey(ctx context.Context, id string, at time.Time, e audit.Event) (int64, error) {
	return s.endKey(ctx, id, e, "signing key sealed", func(q Querier) (token.SigningKey, error) {
		return one(q.QueryRowContext(ctx, `
			UPDATE signing_key SET state = 'sealed', private_key = $3, ended = CASE WHEN ended = 0 THEN $2 ELSE ended END
			WHERE id = $1 AND state IN ('retiring', 'distrusted')
			RETURNING `+signingKeyColumns, id, us(at), []byte{}), scanSigningKey)
	})
}

// endKey runs a change of state that returns the key, and revokes its ground.
func (s *Store) endKey(ctx context.Context, id string, e audit.Event, reason string, change func(Querier) (token.SigningKey, error)) (int64, error) {
	n, err := put(ctx, s, func(q Querier) (int64, error) {
		k, err := change(q)
		if notFound(err) {
			return 0, s.keyMissing(ctx, q, id)
		}
		if err != nil {
			return 0, err
		}
		if err := s.record(ctx, q, e, k.Tenant, id); err != nil {
			return 0, err
		}
		return s.end(ctx, q, reason, revocation.Ground{Kind: revocation.SigningKey, ID: id})
	})
	return n, tokenError(err)
}

// keyMissing says why a change of state found no key: there is none, or it is
// in another state.
func (s *Store) keyMissing(ctx context.Context, q Querier, id string) error {
	var there bool
	if err := q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM signing_key WHERE id = $1)`, id).Scan(&there); err != nil {
		return err
	}
	if there {
		return token.ErrKeyState
	}
	return ErrNotFound
}
