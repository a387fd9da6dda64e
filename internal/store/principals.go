package store

import (
	"context"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/revocation"
)

var _ principal.Store = (*Store)(nil)

const (
	principalColumns = `p.id, p.number, p.tenant, p.kind, p.name, p.display_name, p.comment, p.enabled,
		p.not_before, p.reuse_window, p.created`
	principalByID   = `SELECT ` + principalColumns + ` FROM principal p WHERE p.id = $1`
	principalByName = `SELECT ` + principalColumns + ` FROM principal p WHERE p.tenant = $1 AND p.kind = $2 AND p.name = $3`
)

func principalFields(p *principal.Principal) []any {
	return []any{&p.ID, &p.Number, &p.Tenant, &p.Kind, &p.Name, &p.DisplayName, &p.Comment, &p.Enabled,
		moment{&p.NotBefore}, span{&p.ReuseWindow}, moment{&p.Created}}
}

func scanPrincipal(r Row, p *principal.Principal) error { return r.Scan(principalFields(p)...) }

func principalError(err error) error {
	return rename(err, ErrNotFound, principal.ErrNotFound, ErrReference, principal.ErrNotFound, ErrConflict, principal.ErrExists)
}

// CreatePrincipal implements [principal.Store].
func (s *Store) CreatePrincipal(ctx context.Context, p principal.Principal, e audit.Event) (principal.Principal, error) {
	made, err := put(ctx, s, func(q Querier) (principal.Principal, error) {
		made, err := insertPrincipal(ctx, q, p)
		if err != nil {
			return made, err
		}
		return made, s.record(ctx, q, e, p.Tenant, p.ID)
	})
	return made, principalError(err)
}

func insertPrincipal(ctx context.Context, q Querier, p principal.Principal) (principal.Principal, error) {
	n, err := take(ctx, q, principalNumber)
	if err != nil {
		return p, err
	}
	made, err := one(q.QueryRowContext(ctx, `
		INSERT INTO principal (id, number, tenant, kind, name, display_name, comment, enabled, not_before, reuse_window, created)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, db_now())
		RETURNING id, number, tenant, kind, name, display_name, comment, enabled, not_before, reuse_window, created`,
		p.ID, n, p.Tenant, string(p.Kind), p.Name, p.DisplayName, p.Comment, p.Enabled,
		us(p.NotBefore), p.ReuseWindow.Microseconds()), scanPrincipal)
	if err != nil {
		return made, err
	}
	for _, role := range p.Roles {
		if err := addRole(ctx, q, p.ID, role); err != nil {
			return made, err
		}
	}
	made.Roles, err = rolesOf(ctx, q, p.ID)
	return made, err
}

// Principal implements [principal.Store].
func (s *Store) Principal(ctx context.Context, id string) (principal.Principal, error) {
	return s.onePrincipal(ctx, principalByID, id)
}

// PrincipalByName implements [principal.Store].
func (s *Store) PrincipalByName(ctx context.Context, tenant string, k principal.Kind, name string) (principal.Principal, error) {
	return s.onePrincipal(ctx, principalByName, tenant, string(k), name)
}

func (s *Store) onePrincipal(ctx context.Context, query string, args ...any) (principal.Principal, error) {
	p, err := get(ctx, s, func(q Querier) (principal.Principal, error) {
		p, err := one(q.QueryRowContext(ctx, query, args...), scanPrincipal)
		if err == nil {
			p.Roles, err = rolesOf(ctx, q, p.ID)
		}
		return p, err
	})
	return p, principalError(err)
}

// Principals implements [principal.Store].
func (s *Store) Principals(ctx context.Context, f principal.Filter) ([]principal.Principal, error) {
	var w where
	for _, c := range []struct{ condition, value string }{
		{"p.tenant = ", f.Tenant}, {"p.kind = ", string(f.Kind)}, {"p.name = ", f.Name}, {"p.id > ", f.After},
	} {
		if c.value != "" {
			w.and(c.condition, c.value)
		}
	}
	page := ` FROM principal p` + w.String() + ` ORDER BY p.id LIMIT ` + w.arg(limit(f.Limit))
	return get(ctx, s, func(q Querier) ([]principal.Principal, error) {
		rows, err := q.QueryContext(ctx, `SELECT `+principalColumns+page, w.args...)
		list, err := Collect(rows, err, scanPrincipal)
		if err != nil {
			return nil, err
		}
		roles, err := rolesOfMany(ctx, q, `SELECT p.id`+page, w.args)
		for i := range list {
			list[i].Roles = roles[list[i].ID]
		}
		return list, err
	})
}

// UpdatePrincipal implements [principal.Store].
func (s *Store) UpdatePrincipal(ctx context.Context, id string, u principal.Update, e audit.Event) error {
	return principalError(s.engine.Write(ctx, func(q Querier) error {
		p, err := lockPrincipal(ctx, q, id)
		if err != nil {
			return err
		}
		if u.DisplayName != nil {
			p.DisplayName = *u.DisplayName
		}
		if u.Comment != nil {
			p.Comment = *u.Comment
		}
		if u.ReuseWindow != nil {
			p.ReuseWindow = *u.ReuseWindow
		}
		if err := must(ctx, q, `UPDATE principal SET display_name = $2, comment = $3, reuse_window = $4 WHERE id = $1`,
			id, p.DisplayName, p.Comment, p.ReuseWindow.Microseconds()); err != nil {
			return err
		}
		return s.record(ctx, q, e, p.Tenant, id)
	}))
}

// lockPrincipal reads a principal and keeps others from changing it until the
// transaction ends.
func lockPrincipal(ctx context.Context, q Querier, id string) (principal.Principal, error) {
	if err := must(ctx, q, `UPDATE principal SET enabled = enabled WHERE id = $1`, id); err != nil {
		return principal.Principal{}, err
	}
	return one(q.QueryRowContext(ctx, principalByID, id), scanPrincipal)
}

// EnablePrincipal implements [principal.Store].
func (s *Store) EnablePrincipal(ctx context.Context, id string, e audit.Event) error {
	return principalError(s.engine.Write(ctx, func(q Querier) error {
		var tenant string
		err := q.QueryRowContext(ctx, `UPDATE principal SET enabled = TRUE WHERE id = $1 RETURNING tenant`, id).Scan(&tenant)
		if err != nil {
			return err
		}
		return s.record(ctx, q, e, tenant, id)
	}))
}

// DisablePrincipal implements [principal.Store].
func (s *Store) DisablePrincipal(ctx context.Context, id string, e audit.Event) (int64, error) {
	return s.endPrincipal(ctx, id, e, "principal disabled", revocation.Principal,
		`UPDATE principal SET enabled = FALSE WHERE id = $1 RETURNING tenant`, id)
}

// EndTokensBefore implements [principal.Store]. The time never moves back.
func (s *Store) EndTokensBefore(ctx context.Context, id string, at time.Time, e audit.Event) (int64, error) {
	return s.endPrincipal(ctx, id, e, "tokens ended", revocation.TokensOf, `
		UPDATE principal SET not_before = CASE WHEN not_before > $2 THEN not_before ELSE $2 END
		WHERE id = $1 RETURNING tenant`, id, us(at))
}

// endPrincipal runs a change that returns the tenant, and revokes.
func (s *Store) endPrincipal(ctx context.Context, id string, e audit.Event, reason string, k revocation.Kind, query string, args ...any) (int64, error) {
	n, err := put(ctx, s, func(q Querier) (int64, error) {
		var tenant string
		if err := q.QueryRowContext(ctx, query, args...).Scan(&tenant); err != nil {
			return 0, err
		}
		if err := s.record(ctx, q, e, tenant, id); err != nil {
			return 0, err
		}
		return s.end(ctx, q, reason, revocation.Ground{Kind: k, ID: id})
	})
	return n, principalError(err)
}

// DeletePrincipal implements [principal.Store]. Credentials, secrets and roles
// go with the row; grants and opaque tokens, which only name it, are ended.
func (s *Store) DeletePrincipal(ctx context.Context, id string, e audit.Event) (int64, error) {
	n, err := put(ctx, s, func(q Querier) (int64, error) {
		var tenant string
		if err := q.QueryRowContext(ctx, `DELETE FROM principal WHERE id = $1 RETURNING tenant`, id).Scan(&tenant); err != nil {
			return 0, err
		}
		if err := s.record(ctx, q, e, tenant, id); err != nil {
			return 0, err
		}
		change, err := s.end(ctx, q, "principal deleted", revocation.Ground{Kind: revocation.Principal, ID: id})
		if err != nil {
			return 0, err
		}
		return change, endHoldings(ctx, q, tenant, id, change)
	})
	return n, principalError(err)
}

// endHoldings ends the grants and opaque tokens of a principal.
func endHoldings(ctx context.Context, q Querier, tenant, id string, change int64) error {
	if _, err := exec(ctx, q, `
		UPDATE opaque_token SET revoked = db_now(), change = $3
		WHERE tenant = $1 AND principal = $2 AND revoked = 0`, tenant, id, change); err != nil {
		return err
	}
	if _, err := exec(ctx, q, `
		UPDATE grant_family SET ended = db_now(), end_reason = 'principal deleted', change = $3
		WHERE tenant = $1 AND principal = $2 AND ended = 0`, tenant, id, change); err != nil {
		return err
	}
	_, err := exec(ctx, q, `
		UPDATE refresh_token SET salt = $3
		WHERE family IN (SELECT id FROM grant_family WHERE tenant = $1 AND principal = $2)`, tenant, id, []byte{})
	return err
}
