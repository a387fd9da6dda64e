package gateidentity

import (
	"crypto/sha256"
	"sync"
)

// perGeneration bounds the tokens remembered; twice as many are held at most.
const perGeneration = 4096

// memory remembers tokens whose signature and claims were found good. It keeps
// a young and an old half: when the young one is full it becomes the old one,
// so what is used stays and nothing needs a clock or a list. Only digests are
// held, never tokens.
type memory struct {
	mu         sync.Mutex
	generation uint64 // of the key set that the entries rest on
	young, old map[[sha256.Size]byte]Identity
}

func newMemory() *memory {
	return &memory{young: make(map[[sha256.Size]byte]Identity)}
}

// get returns a copy that the caller may change.
func (m *memory) get(token string) (Identity, bool) {
	sum := sha256.Sum256([]byte(token))
	m.mu.Lock()
	defer m.mu.Unlock()
	id, ok := m.young[sum]
	if !ok {
		if id, ok = m.old[sum]; ok {
			m.putLocked(sum, id)
		}
	}
	return id.clone(), ok
}

// put remembers id, unless the keys were replaced since it was verified.
func (m *memory) put(token string, id Identity, generation uint64) {
	sum := sha256.Sum256([]byte(token))
	m.mu.Lock()
	defer m.mu.Unlock()
	if generation == m.generation {
		m.putLocked(sum, id.clone())
	}
}

func (m *memory) putLocked(sum [sha256.Size]byte, id Identity) {
	if len(m.young) >= perGeneration {
		m.old, m.young = m.young, make(map[[sha256.Size]byte]Identity)
	}
	m.young[sum] = id
}

// clear forgets everything: a key that left the set must not live on here.
func (m *memory) clear(generation uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.generation = generation
	m.young, m.old = make(map[[sha256.Size]byte]Identity), nil
}
