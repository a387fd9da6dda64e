package importer

import (
	"context"
	"errors"
	"fmt"

	"gatehouse.dev/internal/credential"
)

// absent returns those that do not exist yet, and notes the others. The store
// looks for lookups and equal hashes itself, in the transaction; a key can be
// there in another form too (as its SHA-256, or under an older look-up key), and
// a dry run has no transaction.
func (im *Importer) absent(ctx context.Context, good []candidate, outcomes []Outcome) ([]candidate, error) {
	var out []candidate
	for _, c := range good {
		there, err := im.exists(ctx, c.judged)
		if err != nil {
			return nil, err
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
	name := c.Tenant + "\x00" + string(c.Kind) + "\x00" + c.Lookup
	if c.Kind == credential.APIKey {
		name = c.Tenant + "\x00" + string(c.Kind) + "\x00" + string(e.Secret.Hash)
	} else if !im.DryRun {
		return false, nil
	}
	if im.DryRun {
		if im.seen[name] {
			return true, nil
		}
		if im.seen == nil {
			im.seen = map[string]bool{}
		}
		im.seen[name] = true
	}
	var err error
	if c.Kind == credential.APIKey {
		_, err = im.Store.RecordByDigest(ctx, c.Tenant, e.forms)
	} else {
		_, err = im.Store.RecordByLookup(ctx, c.Tenant, c.Kind, c.Lookup)
	}
	switch {
	case errors.Is(err, credential.ErrNotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look up credential: %w", err)
	}
	return true, nil
}
