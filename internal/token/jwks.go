package token

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Document is a JWKS with what HTTP needs to let it be cached.
type Document struct {
	Body   []byte
	ETag   string // with quotes
	MaxAge time.Duration
}

// JWKS is the tenant's public token keys: of every use but those that are
// published on their own (see [Keys.Document]).
func (k *Keys) JWKS(ctx context.Context, tenant string) ([]byte, error) {
	d, err := k.Document(ctx, tenant)
	return d.Body, err
}

// Document is the JWKS (RFC 7517) of a tenant for the given uses; for none
// given, for all but identity. It has the keys that sign, that will,
// and that have signed tokens which are still good, in an order that does not
// change by itself.
func (k *Keys) Document(ctx context.Context, tenant string, uses ...string) (Document, error) {
	s, err := k.set(ctx, tenant)
	if err != nil {
		return Document{}, fmt.Errorf("publish signing keys: %w", err)
	}
	now := k.o.Now()
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, h := range s.keys {
		if !h.published(now) || !wanted(h.Use, uses) {
			continue
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{
			Key: h.public.Key(), KeyID: h.ID, Algorithm: string(h.Alg), Use: "sig",
		})
	}
	body, err := json.Marshal(set)
	if err != nil {
		return Document{}, fmt.Errorf("publish signing keys: %w", err)
	}
	sum := sha256.Sum256(body)
	// Half the lead: whoever fetched just before a next key appeared has
	// fetched again before it signs.
	return Document{Body: body, ETag: `"` + hex.EncodeToString(sum[:16]) + `"`, MaxAge: k.o.PublishLead / 2}, nil
}

func wanted(use string, uses []string) bool {
	if len(uses) == 0 {
		return use != UseIdentity
	}
	return slices.Contains(uses, use)
}
