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

// absent returns those that do not exist yet, apart from keys that an earlier line
// of the batch has, and notes the others. The store looks for lookups and equal
// hashes itself, in the transaction; a key can be there in another form too (as
// its SHA-256, or under an older look-up key), and a dry run has no transaction.
func (im *Importer) absent(ctx context.Context, good []candidate, outcomes []Outcome) (out, twice []candidate, err error) {
	batch := Seen{}
	for _, c := range good {
		there := Imported // unless the store says otherwise
		isKey := c.Credential.Kind == credential.APIKey
		if im.DryRun || isKey {
			there, err = im.exists(ctx, c.judged)
		}
		if err != nil {
			return nil, nil, err
		}
		switch {
		case there == Imported && im.DryRun:
			there = im.seen.Note(c.record, im.Tenant)
		case there == Imported && isKey:
			there = im.seen.look(c.record, im.Tenant)
		case there == Existed && isKey:
			im.seen.Note(c.record, im.Tenant)
		}
		outcomes[c.line] = there
		switch {
		case there != Imported:
		case isKey && !im.DryRun && batch.Note(c.record, im.Tenant) != Imported:
			twice = append(twice, c)
		default:
			out = append(out, c)
		}
	}
	return out, twice, nil
}

// exists says what would become of e: a credential that is there may be its
// owner's, or somebody else's.
func (im *Importer) exists(ctx context.Context, e judged) (Outcome, error) {
	c := e.Credential
	var have credential.Record
	var err error
	if c.Kind == credential.APIKey {
		have, err = im.Store.RecordByDigest(ctx, c.Tenant, c.Kind, e.forms)
	} else {
		have, err = im.Store.RecordByLookup(ctx, c.Tenant, c.Kind, c.Lookup)
	}
	switch {
	case errors.Is(err, credential.ErrNotFound):
		return Imported, nil
	case err != nil:
		return "", fmt.Errorf("look up credential: %w", err)
	case have.Principal.Kind != e.Principal.Kind || have.Principal.Name != e.Principal.Name:
		return Conflict, nil
	}
	return Existed, nil
}

// Seen knows which credentials lines have named, and whose: what an earlier line
// has made, or in a dry run would make, exists for a later one. A key and its
// hash are the same, which the store cannot know. It keeps fingerprints, no
// secrets.
type Seen map[[sha256.Size]byte][sha256.Size]byte

// Note notes the credential of a record, and says what would become of it after
// those noted before. A record without a tenant is of that default one.
func (s Seen) Note(r Record, tenant string) Outcome {
	out := s.look(r, tenant)
	if out == Imported {
		sum, whose := fingerprint(r, tenant)
		s[sum] = whose
	}
	return out
}

// look is Note that notes nothing.
func (s Seen) look(r Record, tenant string) Outcome {
	sum, whose := fingerprint(r, tenant)
	first, there := s[sum]
	switch {
	case !there:
		return Imported
	case first != whose:
		return Conflict
	}
	return Existed
}

// fingerprint stands for a credential and for whose it is.
func fingerprint(r Record, tenant string) (sum, whose [sha256.Size]byte) {
	kind := ownerKind(r)
	owner, _ := principal.NormaliseName(kind, r.Name)
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
	sum = sha256.Sum256([]byte(cmp.Or(r.Tenant, tenant) + "\x00" + r.Kind + "\x00" + name))
	whose = sha256.Sum256([]byte(string(kind) + "\x00" + owner))
	return sum, whose
}
