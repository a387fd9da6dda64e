package store

import (
	"context"
	"strings"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/revocation"
)

var _ credential.Store = (*Store)(nil)

const (
	credentialColumns = `c.id, c.number, c.tenant, c.principal, c.kind, c.dialect, c.lookup, c.comment, c.enabled, c.revoked,
		c.networks, c.not_before, c.expires, c.created, c.countries, c.scope_type, c.scope_key, c.scope_actions, c.max_uses, c.uses,
		c.users, c.created_by, (SELECT COALESCE(MAX(u.last_used), 0) FROM secret u WHERE u.credential = c.id),
		COALESCE((SELECT u.last_from FROM secret u WHERE u.credential = c.id ORDER BY u.last_used DESC, u.number DESC LIMIT 1), '')`
	credentialByID = `SELECT ` + credentialColumns + ` FROM credential c WHERE c.id = $1`
)

func credentialFields(c *credential.Credential) []any {
	return []any{&c.ID, &c.Number, &c.Tenant, &c.Principal, &c.Kind, &c.Dialect, &c.Lookup, &c.Comment, &c.Enabled, moment{&c.Revoked},
		networks{&c.Networks}, moment{&c.NotBefore}, moment{&c.Expires}, moment{&c.Created},
		words{&c.Countries}, &c.Scope.Type, &c.Scope.Key, jsonInto{&c.Scope.Actions}, &c.Scope.MaxUses, &c.Uses,
		jsonInto{&c.Users}, &c.CreatedBy, moment{&c.LastUsed}, address{&c.LastFrom}}
}

func scanCredential(r Row, c *credential.Credential) error { return r.Scan(credentialFields(c)...) }

func credentialError(err error) error {
	return rename(err, ErrNotFound, credential.ErrNotFound, ErrConflict, credential.ErrExists)
}

// madeCredential is what CreateCredential returns.
type madeCredential struct {
	credential credential.Credential
	secrets    []credential.Secret
}

// CreateCredential implements [credential.Store]. The credential's tenant and
// principal must exist and belong together.
func (s *Store) CreateCredential(ctx context.Context, c credential.Credential, secrets []credential.Secret, e audit.Event) (credential.Credential, []credential.Secret, error) {
	made, err := put(ctx, s, func(q Querier) (made madeCredential, err error) {
		if made, err = insertCredential(ctx, q, c, secrets); err != nil {
			return made, err
		}
		return made, s.record(ctx, q, e, c.Tenant, c.ID)
	})
	return made.credential, made.secrets, credentialError(rename(err, ErrReference, credential.ErrNotFound))
}

func insertCredential(ctx context.Context, q Querier, c credential.Credential, secrets []credential.Secret) (made madeCredential, err error) {
	n, err := take(ctx, q, credentialNumber)
	if err != nil {
		return made, err
	}
	// The principal is selected rather than named, so that it is one of the
	// tenant's.
	err = must(ctx, q, `
		INSERT INTO credential (id, number, tenant, principal, kind, dialect, lookup, comment, enabled, revoked,
			networks, not_before, expires, created, countries, scope_type, scope_key, scope_actions, max_uses, uses,
			users, created_by)
		SELECT $1, $2, p.tenant, p.id, $5, $6, $7, $8, $9, 0, $10, $11, $12, db_now(), $13, $14, $15, $16, $17, 0, $18, $19
		FROM principal p WHERE p.tenant = $3 AND p.id = $4`,
		c.ID, n, c.Tenant, c.Principal, string(c.Kind), c.Dialect, c.Lookup, c.Comment, c.Enabled,
		networksText(c.Networks), us(c.NotBefore), us(c.Expires), strings.Join(c.Countries, " "),
		c.Scope.Type, c.Scope.Key, jsonText(c.Scope.Actions), c.Scope.MaxUses,
		jsonText(c.Users), c.CreatedBy)
	if err != nil {
		return made, err
	}
	if made.credential, err = one(q.QueryRowContext(ctx, credentialByID, c.ID), scanCredential); err != nil {
		return made, err
	}
	for _, sec := range secrets {
		if sec, err = insertSecret(ctx, q, made.credential, sec); err != nil {
			return made, err
		}
		made.secrets = append(made.secrets, sec)
	}
	return made, nil
}

// Credential implements [credential.Store].
func (s *Store) Credential(ctx context.Context, id string) (credential.Credential, error) {
	c, err := get(ctx, s, func(q Querier) (credential.Credential, error) {
		return one(q.QueryRowContext(ctx, credentialByID, id), scanCredential)
	})
	return c, credentialError(err)
}

// Credentials implements [credential.Store].
func (s *Store) Credentials(ctx context.Context, f credential.Filter) ([]credential.Credential, error) {
	var w where
	for _, c := range []struct{ condition, value string }{
		{"c.tenant = ", f.Tenant}, {"c.principal = ", f.Principal}, {"c.dialect = ", f.Dialect},
		{"c.kind = ", string(f.Kind)}, {"c.scope_type = ", f.ResourceType}, {"c.scope_key = ", f.ResourceKey}, {"c.id > ", f.After},
	} {
		if c.value != "" {
			w.and(c.condition, c.value)
		}
	}
	query := `SELECT ` + credentialColumns + ` FROM credential c` + w.String() + ` ORDER BY c.id LIMIT ` + w.arg(limit(f.Limit))
	return get(ctx, s, func(q Querier) ([]credential.Credential, error) {
		rows, err := q.QueryContext(ctx, query, w.args...)
		return Collect(rows, err, scanCredential)
	})
}

// SetComment implements [credential.Store].
func (s *Store) SetComment(ctx context.Context, id, comment string, e audit.Event) error {
	_, err := s.changeCredential(ctx, id, e, nil, `UPDATE credential SET comment = $2 WHERE id = $1 RETURNING tenant`, id, comment)
	return err
}

// SetConstraints implements [credential.Store].
func (s *Store) SetConstraints(ctx context.Context, id string, c credential.Constraints, e audit.Event) (int64, error) {
	return s.changeCredential(ctx, id, e, &revocation.Entry{Effect: revocation.Recheck, Reason: "constraints changed"},
		`UPDATE credential SET networks = $2, not_before = $3, expires = $4, countries = $5, users = $6 WHERE id = $1 RETURNING tenant`,
		id, networksText(c.Networks), us(c.NotBefore), us(c.Expires), strings.Join(c.Countries, " "), jsonText(c.Users))
}

// EnableCredential implements [credential.Store]. A revoked one is ErrRevoked.
func (s *Store) EnableCredential(ctx context.Context, id string, e audit.Event) error {
	_, err := s.changeCredential(ctx, id, e, nil,
		`UPDATE credential SET enabled = TRUE WHERE id = $1 AND revoked = 0 RETURNING tenant`, id)
	if notFound(err) {
		if c, again := s.Credential(ctx, id); again == nil && !c.Revoked.IsZero() {
			return credential.ErrRevoked
		}
	}
	return err
}

// DisableCredential implements [credential.Store]. A restore tells by the
// reason in the log what may be undone from what may not.
func (s *Store) DisableCredential(ctx context.Context, id string, e audit.Event) (int64, error) {
	return s.changeCredential(ctx, id, e, &revocation.Entry{Effect: revocation.End, Reason: "credential disabled"},
		`UPDATE credential SET enabled = FALSE WHERE id = $1 RETURNING tenant`, id)
}

// RevokeCredential implements [credential.Store]. Doing so again keeps the time
// of the first.
func (s *Store) RevokeCredential(ctx context.Context, id string, e audit.Event) (int64, error) {
	return s.changeCredential(ctx, id, e, &revocation.Entry{Effect: revocation.End, Reason: "credential revoked"},
		`UPDATE credential SET revoked = CASE WHEN revoked = 0 THEN db_now() ELSE revoked END WHERE id = $1 RETURNING tenant`, id)
}

// changeCredential runs a change that returns the tenant, records it, and
// writes rev, if any, with the credential as its ground.
func (s *Store) changeCredential(ctx context.Context, id string, e audit.Event, rev *revocation.Entry, query string, args ...any) (int64, error) {
	n, err := put(ctx, s, func(q Querier) (int64, error) {
		var tenant string
		if err := q.QueryRowContext(ctx, query, args...).Scan(&tenant); err != nil {
			return 0, err
		}
		if err := s.record(ctx, q, e, tenant, id); err != nil || rev == nil {
			return 0, err
		}
		entry := *rev
		entry.Grounds = []revocation.Ground{{Kind: revocation.Credential, ID: id}}
		return s.log(ctx, q, entry)
	})
	return n, credentialError(err)
}
