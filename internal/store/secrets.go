package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/revocation"
)

const (
	secretColumns    = `id, number, credential, scheme, hash, not_before, expires, revoked, created, last_used, last_from`
	secretsOf        = `SELECT ` + secretColumns + ` FROM secret WHERE credential = $1 ORDER BY number`
	secretStillLives = `revoked = 0 AND (expires = 0 OR expires > db_now())`
)

func scanSecret(r Row, s *credential.Secret) error {
	return r.Scan(&s.ID, &s.Number, &s.Credential, &s.Scheme, &s.Hash, moment{&s.NotBefore}, moment{&s.Expires},
		moment{&s.Revoked}, moment{&s.Created}, moment{&s.LastUsed}, address{&s.LastFrom})
}

func insertSecret(ctx context.Context, q Querier, c credential.Credential, sec credential.Secret) (credential.Secret, error) {
	n, err := take(ctx, q, secretNumber)
	if err != nil {
		return sec, err
	}
	return one(q.QueryRowContext(ctx, `
		INSERT INTO secret (id, number, credential, tenant, kind, scheme, hash, not_before, expires, revoked, created, last_used)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, db_now(), 0)
		RETURNING `+secretColumns, sec.ID, n, c.ID, c.Tenant, string(c.Kind), string(sec.Scheme), blob(sec.Hash),
		us(sec.NotBefore), us(sec.Expires)), scanSecret)
}

// Secrets implements [credential.Store].
func (s *Store) Secrets(ctx context.Context, id string) ([]credential.Secret, error) {
	return get(ctx, s, func(q Querier) ([]credential.Secret, error) {
		rows, err := q.QueryContext(ctx, secretsOf, id)
		return Collect(rows, err, scanSecret)
	})
}

// addedSecret is what AddSecret returns.
type addedSecret struct {
	secret credential.Secret
	change int64
}

// AddSecret implements [credential.Store].
func (s *Store) AddSecret(ctx context.Context, next credential.Secret, oldExpires time.Time, e audit.Event) (credential.Secret, int64, error) {
	added, err := put(ctx, s, func(q Querier) (a addedSecret, err error) {
		c, err := lockCredential(ctx, q, next.Credential)
		if err != nil {
			return a, err
		}
		if !c.Revoked.IsZero() {
			return a, credential.ErrRevoked
		}
		shortened, err := shortenSecrets(ctx, q, c.ID, oldExpires)
		if err != nil {
			return a, err
		}
		var live int
		err = q.QueryRowContext(ctx, `SELECT COUNT(*) FROM secret WHERE credential = $1 AND `+secretStillLives, c.ID).Scan(&live)
		if err != nil {
			return a, err
		}
		if live >= credential.MaxSecrets {
			return a, credential.ErrTooMany
		}
		if a.secret, err = insertSecret(ctx, q, c, next); err != nil {
			return a, err
		}
		if err := s.record(ctx, q, e, c.Tenant, c.ID); err != nil || len(shortened) == 0 {
			return a, err
		}
		a.change, err = s.recheck(ctx, q, "secrets end sooner", shortened...)
		return a, err
	})
	return added.secret, added.change, credentialError(err)
}

// lockCredential reads a credential and keeps others from changing it until the
// transaction ends.
func lockCredential(ctx context.Context, q Querier, id string) (credential.Credential, error) {
	if err := must(ctx, q, `UPDATE credential SET enabled = enabled WHERE id = $1`, id); err != nil {
		return credential.Credential{}, err
	}
	return one(q.QueryRowContext(ctx, credentialByID, id), scanCredential)
}

// shortenSecrets lets the live secrets end at that time, if that is sooner, and
// returns their grounds.
func shortenSecrets(ctx context.Context, q Querier, id string, end time.Time) ([]revocation.Ground, error) {
	if end.IsZero() {
		return nil, nil
	}
	rows, err := q.QueryContext(ctx, `
		UPDATE secret SET expires = $2
		WHERE credential = $1 AND `+secretStillLives+` AND (expires = 0 OR expires > $2)
		RETURNING id`, id, us(end))
	return Collect(rows, err, func(r Row, g *revocation.Ground) error {
		g.Kind = revocation.Secret
		return r.Scan(&g.ID)
	})
}

// RevokeSecret implements [credential.Store].
func (s *Store) RevokeSecret(ctx context.Context, id string, e audit.Event) (int64, error) {
	n, err := put(ctx, s, func(q Querier) (int64, error) {
		var tenant string
		err := q.QueryRowContext(ctx, `
			UPDATE secret SET revoked = CASE WHEN revoked = 0 THEN db_now() ELSE revoked END
			WHERE id = $1 RETURNING tenant`, id).Scan(&tenant)
		if err != nil {
			return 0, err
		}
		if err := s.record(ctx, q, e, tenant, id); err != nil {
			return 0, err
		}
		return s.end(ctx, q, "secret revoked", revocation.Ground{Kind: revocation.Secret, ID: id})
	})
	return n, credentialError(err)
}

// ReplaceHash implements [credential.Store]. When the stored form is another
// one by now, somebody else has upgraded it, which is as good.
func (s *Store) ReplaceHash(ctx context.Context, secret string, old []byte, scheme credential.Scheme, hash []byte) error {
	return s.engine.Write(ctx, func(q Querier) error {
		_, err := exec(ctx, q, `UPDATE secret SET scheme = $3, hash = $4 WHERE id = $1 AND hash = $2`,
			secret, old, string(scheme), hash)
		return err
	})
}

// NoteUses implements [credential.Store]. In one order, so that nodes that note
// the same secrets do not block each other crosswise.
func (s *Store) NoteUses(ctx context.Context, uses []credential.Use) error {
	uses = slices.Clone(uses)
	slices.SortFunc(uses, func(a, b credential.Use) int { return strings.Compare(a.Secret, b.Secret) })
	return s.engine.Write(ctx, func(q Querier) error {
		for _, u := range uses {
			_, err := exec(ctx, q, `UPDATE secret SET last_used = $2, last_from = $3 WHERE id = $1 AND last_used < $2`,
				u.Secret, us(u.At), addressText(u.From))
			if err != nil {
				return err
			}
		}
		return nil
	})
}
