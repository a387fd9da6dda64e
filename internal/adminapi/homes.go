package adminapi

import (
	"context"
	"errors"
	"slices"
	"sync"

	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/secret"
)

// homes knows which tenant an API key belongs to. A key never moves, so this
// may be remembered; it is kept under the key's digest, never under the key.
type homes struct {
	store    credential.Finder
	digester *secret.Digester

	mu    sync.Mutex
	known map[string]string // digest → tenant
}

const maxHomes = 1000

// holds reports whether the tenant has that key.
func (h *homes) holds(ctx context.Context, tenant string, key secret.Text) (bool, error) {
	digests := h.digester.Candidates(key)
	h.mu.Lock()
	home, known := h.known[string(digests[0])]
	h.mu.Unlock()
	if known {
		return home == tenant, nil
	}
	_, err := h.store.RecordByDigest(ctx, tenant, credential.APIKey, slices.Concat(digests, [][]byte{credential.PlainDigest(key)}))
	if errors.Is(err, credential.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.known == nil || len(h.known) >= maxHomes {
		h.known = make(map[string]string)
	}
	h.known[string(digests[0])] = tenant
	return true, nil
}
