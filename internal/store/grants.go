package store

import (
	"context"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/grant"
	"gatehouse.dev/internal/revocation"
)

var _ grant.Store = (*Store)(nil)

const (
	familyColumns = `f.id, f.tenant, f.principal, f.client, f.credential, f.secret, f.scopes, f.audience, f.proof_key,
		f.created, f.expires, f.idle, f.ended, f.end_reason`
	refreshColumns = `r.digest, r.family, r.generation, r.salt, r.issued, r.expires, r.rotated, r.rotated_by`
)

func familyFields(g *grant.Grant) []any {
	return []any{&g.ID, &g.Tenant, &g.Principal, &g.Client, &g.Credential, &g.Secret, jsonInto{&g.Scopes}, jsonInto{&g.Audience}, &g.ProofKey,
		moment{&g.Created}, moment{&g.Expires}, span{&g.Idle}, moment{&g.Ended}, &g.EndReason}
}

func refreshFields(r *grant.Refresh) []any {
	return []any{&r.Digest, &r.Grant, &r.Generation, &r.Salt, moment{&r.Issued}, moment{&r.Expires}, moment{&r.Rotated}, &r.RotatedBy}
}

func grantError(err error) error { return rename(err, ErrNotFound, grant.ErrNotFound) }

// CreateGrant implements [grant.Store].
func (s *Store) CreateGrant(ctx context.Context, g grant.Grant, first grant.Refresh, e audit.Event) error {
	return s.engine.Write(ctx, func(q Querier) error {
		_, err := exec(ctx, q, `
			INSERT INTO grant_family (id, tenant, principal, client, credential, secret, scopes, audience, proof_key,
				created, expires, idle, ended, end_reason, change)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, '', 0)`,
			g.ID, g.Tenant, g.Principal, g.Client, g.Credential, g.Secret, jsonText(g.Scopes), jsonText(g.Audience), g.ProofKey,
			us(g.Created), us(g.Expires), g.Idle.Microseconds())
		if err != nil {
			return err
		}
		first.Grant, first.Generation = g.ID, 1
		if err := insertRefresh(ctx, q, first); err != nil {
			return err
		}
		return s.record(ctx, q, e, g.Tenant, g.ID)
	})
}

func insertRefresh(ctx context.Context, q Querier, r grant.Refresh) error {
	_, err := exec(ctx, q, `
		INSERT INTO refresh_token (digest, family, generation, salt, issued, expires, rotated, rotated_by)
		VALUES ($1, $2, $3, $4, $5, $6, 0, $7)`,
		r.Digest, r.Grant, r.Generation, blob(r.Salt), us(r.Issued), us(r.Expires), []byte{})
	return err
}

type refreshOfFamily struct {
	token  grant.Refresh
	family grant.Grant
}

// RefreshByDigest implements [grant.Store].
func (s *Store) RefreshByDigest(ctx context.Context, tenant string, digests [][]byte) (grant.Refresh, grant.Grant, error) {
	found, err := get(ctx, s, func(q Querier) (found refreshOfFamily, err error) {
		err = ErrNotFound
		for _, d := range digests {
			found, err = one(q.QueryRowContext(ctx, `
				SELECT `+refreshColumns+`, `+familyColumns+`
				FROM refresh_token r JOIN grant_family f ON f.id = r.family
				WHERE r.digest = $1 AND f.tenant = $2`, d, tenant), func(r Row, v *refreshOfFamily) error {
				return r.Scan(append(refreshFields(&v.token), familyFields(&v.family)...)...)
			})
			if !notFound(err) {
				break
			}
		}
		return found, err
	})
	return found.token, found.family, grantError(err)
}

// EndGrant implements [grant.Store].
func (s *Store) EndGrant(ctx context.Context, id, reason string, e audit.Event) (int64, error) {
	n, err := put(ctx, s, func(q Querier) (int64, error) {
		f, err := lockFamily(ctx, q, id)
		if err != nil || f.change != 0 {
			return f.change, err
		}
		return s.endFamily(ctx, q, f, reason, e)
	})
	return n, grantError(err)
}

// lockedFamily is what decisions about a family need.
type lockedFamily struct {
	id, tenant string
	alive      bool // neither ended nor expired
	change     int64
}

// Keeping others from rotating or ending the family until the transaction ends:
// the write changes nothing, it is the lock that both engines have.
const (
	lockFamilyWhere   = `UPDATE grant_family SET ended = ended WHERE id = `
	lockFamilyReturns = ` RETURNING id, tenant, ended = 0 AND (expires = 0 OR expires > db_now()), change`
)

func lockFamily(ctx context.Context, q Querier, id string) (lockedFamily, error) {
	return one(q.QueryRowContext(ctx, lockFamilyWhere+`$1`+lockFamilyReturns, id), scanLocked)
}

func lockFamilyOf(ctx context.Context, q Querier, digest []byte) (lockedFamily, error) {
	return one(q.QueryRowContext(ctx,
		lockFamilyWhere+`(SELECT family FROM refresh_token WHERE digest = $1)`+lockFamilyReturns, digest), scanLocked)
}

func scanLocked(r Row, f *lockedFamily) error { return r.Scan(&f.id, &f.tenant, &f.alive, &f.change) }

// endFamily ends a locked family that has not ended before.
func (s *Store) endFamily(ctx context.Context, q Querier, f lockedFamily, reason string, e audit.Event) (int64, error) {
	if _, err := exec(ctx, q, `UPDATE refresh_token SET salt = $2 WHERE family = $1`, f.id, []byte{}); err != nil {
		return 0, err
	}
	if err := s.record(ctx, q, e, f.tenant, f.id); err != nil {
		return 0, err
	}
	change, err := s.end(ctx, q, reason, revocation.Ground{Kind: revocation.Grant, ID: f.id})
	if err != nil {
		return 0, err
	}
	return change, must(ctx, q, `
		UPDATE grant_family SET ended = CASE WHEN ended = 0 THEN db_now() ELSE ended END, end_reason = $2, change = $3
		WHERE id = $1`, f.id, reason, change)
}

// Grants implements [grant.Store].
func (s *Store) Grants(ctx context.Context, tenant, principal string, atMost int) ([]grant.Grant, error) {
	return get(ctx, s, func(q Querier) ([]grant.Grant, error) {
		rows, err := q.QueryContext(ctx, `
			SELECT `+familyColumns+` FROM grant_family f
			WHERE f.tenant = $1 AND f.principal = $2 AND f.ended = 0 AND (f.expires = 0 OR f.expires > db_now())
			ORDER BY f.created DESC, f.id LIMIT $3`, tenant, principal, limit(atMost))
		return Collect(rows, err, func(r Row, g *grant.Grant) error { return r.Scan(familyFields(g)...) })
	})
}

// EraseSalts implements [grant.Store].
func (s *Store) EraseSalts(ctx context.Context, window time.Duration) (int64, error) {
	now, err := s.engine.Now(ctx)
	if err != nil {
		return 0, err
	}
	return s.sweep(ctx, chunk{query: `
		UPDATE refresh_token SET salt = $3 WHERE digest IN (
			SELECT digest FROM refresh_token WHERE rotated > 0 AND LENGTH(salt) > 0 AND rotated <= $1 LIMIT $2)`,
		before: us(now.Add(-window)), more: []any{[]byte{}}})
}

// SweepGrants implements [grant.Store].
func (s *Store) SweepGrants(ctx context.Context, before time.Time) (int64, error) {
	return s.sweep(ctx, chunk{query: `
		DELETE FROM grant_family WHERE id IN (
			SELECT id FROM grant_family WHERE (ended > 0 AND ended < $1) OR (expires > 0 AND expires < $1) LIMIT $2)`,
		before: us(before)})
}
