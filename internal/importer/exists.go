package importer

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/principal"
)

// absent returns those that do not exist yet, and notes the others. The store
// looks for lookups and equal hashes itself, in the transaction; a key can be
// there in another form too (as its SHA-256, or under an older look-up key), and
// a dry run has no transaction.
func (im *Importer) absent(ctx context.Context, lines []Line, good []candidate, outcomes []Outcome) ([]candidate, error) {
	var out []candidate
	for _, c := range good {
		there, err := im.exists(ctx, c.judged)
		if err != nil {
			return nil, err
		}
		if im.DryRun && im.seen.Again(lines[c.line].Record, im.Tenant) {
			there = true
		}
		if there {
			outcomes[c.line] = Existed
			continue
		}
		outcomes[c.line] = Imported // unless the store says otherwise
		out = append(out, c)
	}
	return out, nil
}

func (im *Importer) exists(ctx context.Context, e judged) (bool, error) {
	c := e.Credential
	var err error
	switch {
	case c.Kind == credential.APIKey:
		_, err = im.Store.RecordByDigest(ctx, c.Tenant, c.Kind, e.forms)
	case im.DryRun:
		_, err = im.Store.RecordByLookup(ctx, c.Tenant, c.Kind, c.Lookup)
	default:
		return false, nil // the store looks itself
	}
	switch {
	case errors.Is(err, credential.ErrNotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look up credential: %w", err)
	}
	return true, nil
}

// Seen knows which credentials lines have named, for dry runs: what an earlier
// line would make exists for a later one. It keeps fingerprints, no secrets.
type Seen map[[sha256.Size]byte]bool

// Again notes the credential of a record, and reports whether it was noted
// before. A record without a tenant is of that default one.
func (s Seen) Again(r Record, tenant string) bool {
	name := r.Key
	switch credential.Kind(r.Kind) {
	case credential.Password:
		name, _ = principal.NormaliseName(principal.User, r.Name)
	case credential.APIKey:
		name = strings.ToLower(r.Hash.Reveal())
		if !r.Secret.Empty() {
			name = string(credential.PlainDigest(r.Secret))
		}
	}
	sum := sha256.Sum256([]byte(cmp.Or(r.Tenant, tenant) + "\x00" + r.Kind + "\x00" + name))
	again := s[sum]
	s[sum] = true
	return again
}
