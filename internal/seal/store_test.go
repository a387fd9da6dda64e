package seal_test

import (
	"context"
	"errors"
	"slices"
	"sync"

	"gatehouse.dev/internal/seal"
)

// memory is a Store for these tests; the real ones pass a suite of their own.
type memory struct {
	mu    sync.Mutex
	rows  map[string]seal.WrappedKey
	down  bool
	reads int
}

func newMemory() *memory { return &memory{rows: map[string]seal.WrappedKey{}} }

var errDown = errors.New("store is down")

func (m *memory) AddSealKey(_ context.Context, k seal.WrappedKey) (seal.WrappedKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range m.rows {
		if w.Scope == k.Scope && (w.Version == k.Version || !w.Erased.IsZero()) {
			return w, nil
		}
	}
	m.rows[k.ID] = k
	return k, nil
}

func (m *memory) SealKeys(_ context.Context, s seal.Scope) ([]seal.WrappedKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	if m.down {
		return nil, errDown
	}
	var out []seal.WrappedKey
	for _, w := range m.rows {
		if w.Scope == s {
			out = append(out, w)
		}
	}
	slices.SortFunc(out, func(a, b seal.WrappedKey) int { return int(b.Version - a.Version) })
	return out, nil
}

func (m *memory) EraseSealKeys(_ context.Context, k seal.WrappedKey) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := false
	for id, w := range m.rows {
		if w.Scope == k.Scope {
			w.Box, w.Erased, found = nil, k.Erased, true
			m.rows[id] = w
		}
	}
	if !found {
		m.rows[k.ID] = k
	}
	return nil
}

func (m *memory) SealKeysNotUnder(_ context.Context, master, after string, limit int) ([]seal.WrappedKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return nil, errDown
	}
	var out []seal.WrappedKey
	for _, w := range m.rows {
		if w.Master != master && len(w.Box) > 0 && w.ID > after {
			out = append(out, w)
		}
	}
	slices.SortFunc(out, func(a, b seal.WrappedKey) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return out[:min(limit, len(out))], nil
}

func (m *memory) RewrapSealKey(_ context.Context, id, from string, box []byte, master string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if w := m.rows[id]; w.Master == from && len(w.Box) > 0 {
		w.Box, w.Master = box, master
		m.rows[id] = w
	}
	return nil
}
