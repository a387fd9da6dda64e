package store

import (
	"context"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/principal"
)

// ImportCredentials implements [credential.Store]. All principals come before
// all credentials, to take numbers in the order that everybody takes them.
func (s *Store) ImportCredentials(ctx context.Context, batch []credential.Import, e audit.Event) ([]credential.ImportResult, error) {
	out, err := put(ctx, s, func(q Querier) ([]credential.ImportResult, error) {
		owners := make([]string, len(batch))
		for i, b := range batch {
			var err error
			if owners[i], err = ensurePrincipal(ctx, q, b.Principal); err != nil {
				return nil, err
			}
		}
		out := make([]credential.ImportResult, len(batch))
		for i, b := range batch {
			b.Credential.Principal = owners[i]
			there, err := credentialThere(ctx, q, b)
			if err != nil {
				return nil, err
			}
			if there {
				out[i].Existed = true
				continue
			}
			made, err := insertCredential(ctx, q, b.Credential, []credential.Secret{b.Secret})
			if err != nil {
				return nil, err
			}
			out[i].Credential = made.credential.ID
		}
		return out, s.record(ctx, q, e, "", "")
	})
	return out, credentialError(rename(err, ErrReference, credential.ErrNotFound))
}

// ensurePrincipal returns the id of the principal of that name, made when
// absent.
func ensurePrincipal(ctx context.Context, q Querier, p principal.Principal) (string, error) {
	found, err := one(q.QueryRowContext(ctx, principalByName, p.Tenant, string(p.Kind), p.Name), scanPrincipal)
	if notFound(err) {
		found, err = insertPrincipal(ctx, q, p)
	}
	return found.ID, err
}

// credentialThere tells whether what b would be found by is taken. For a key
// that is its digest, revoked or not; for the others their living name.
func credentialThere(ctx context.Context, q Querier, b credential.Import) (there bool, err error) {
	if b.Credential.Kind.ByDigest() {
		err = q.QueryRowContext(ctx, `
			SELECT EXISTS (SELECT 1 FROM secret WHERE tenant = $1 AND hash = $2 AND kind = `+digestKind(b.Credential.Kind)+`)`,
			b.Credential.Tenant, b.Secret.Hash).Scan(&there)
		return there, err
	}
	err = q.QueryRowContext(ctx, `
		SELECT EXISTS (SELECT 1 FROM credential WHERE tenant = $1 AND kind = $2 AND lookup = $3 AND revoked = 0)`,
		b.Credential.Tenant, string(b.Credential.Kind), b.Credential.Lookup).Scan(&there)
	return there, err
}
