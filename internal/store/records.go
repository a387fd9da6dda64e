package store

import (
	"context"

	"gatehouse.dev/internal/credential"
)

const recordOf = `SELECT ` + credentialColumns + `, ` + principalColumns + `, t.number, t.name, t.enabled
	FROM credential c JOIN principal p ON p.id = c.principal JOIN tenant t ON t.id = c.tenant `

// RecordByLookup implements [credential.Finder]. A name that was revoked and
// given again finds the one that lives.
func (s *Store) RecordByLookup(ctx context.Context, tenant string, k credential.Kind, lookup string) (credential.Record, error) {
	return s.recordWhere(ctx, recordOf+`
		WHERE c.tenant = $1 AND c.kind = $2 AND c.lookup = $3
		ORDER BY CASE WHEN c.revoked = 0 THEN 0 ELSE 1 END, c.number DESC LIMIT 1`, tenant, string(k), lookup)
}

// RecordByDigest implements [credential.Finder].
func (s *Store) RecordByDigest(ctx context.Context, tenant string, k credential.Kind, digests [][]byte) (credential.Record, error) {
	rec, err := get(ctx, s, func(q Querier) (rec credential.Record, err error) {
		err = ErrNotFound
		for _, d := range digests {
			rec, err = readRecord(ctx, q, recordOf+`
				WHERE c.id = (SELECT s.credential FROM secret s WHERE s.tenant = $1 AND s.hash = $2 AND s.kind = `+digestKind(k)+`)`, tenant, d)
			if !notFound(err) {
				break
			}
		}
		return rec, err
	})
	return rec, credentialError(err)
}

// digestKind is written into the statement, so that the planner finds the index
// of that kind. Any other kind finds nothing.
func digestKind(k credential.Kind) string {
	switch k {
	case credential.APIKey:
		return "'api_key'"
	case credential.ScopedToken:
		return "'scoped_token'"
	}
	return "''"
}

// RecordBySecretNumber implements [credential.Finder].
func (s *Store) RecordBySecretNumber(ctx context.Context, number int64) (credential.Record, error) {
	return s.recordWhere(ctx, recordOf+`WHERE c.id = (SELECT s.credential FROM secret s WHERE s.number = $1)`, number)
}

// RecordByCredential implements [credential.Finder].
func (s *Store) RecordByCredential(ctx context.Context, id string) (credential.Record, error) {
	return s.recordWhere(ctx, recordOf+`WHERE c.id = $1`, id)
}

func (s *Store) recordWhere(ctx context.Context, query string, args ...any) (credential.Record, error) {
	rec, err := get(ctx, s, func(q Querier) (credential.Record, error) { return readRecord(ctx, q, query, args...) })
	return rec, credentialError(err)
}

// readRecord reads all that a verification needs, from one snapshot.
func readRecord(ctx context.Context, q Querier, query string, args ...any) (credential.Record, error) {
	rec, err := one(q.QueryRowContext(ctx, query, args...), func(r Row, rec *credential.Record) error {
		fields := append(credentialFields(&rec.Credential), principalFields(&rec.Principal)...)
		return r.Scan(append(fields, &rec.TenantNumber, &rec.TenantName, &rec.TenantEnabled)...)
	})
	if err != nil {
		return rec, err
	}
	rows, err := q.QueryContext(ctx, secretsOf, rec.Credential.ID)
	if rec.Secrets, err = Collect(rows, err, scanSecret); err != nil {
		return rec, err
	}
	rec.Principal.Roles, err = rolesOf(ctx, q, rec.Principal.ID)
	return rec, err
}
