package dpop

import (
	"crypto/sha256"
	"errors"
	"sync"
	"time"
)

// Errors of a Memory.
var (
	ErrReplay = errors.New("the proof was shown before")
	// ErrFull means that too many proofs came to remember them all, so nobody
	// knows whether this one is new.
	ErrFull = errors.New("too many proofs to remember")
)

// Memory knows the proofs of the last minute, so that each counts once on this
// node. The zero value is empty and remembers 262,144. One key has at most half
// of that, so that whoever holds one token cannot stop those of the others.
type Memory struct {
	Most int // of each half

	mu         sync.Mutex
	young, old map[[32]byte]struct{}
	keys       map[string]int // how many of the young are of a key
	turned     time.Time
}

const mostByDefault = 1 << 17

// Once reports ErrReplay for a proof that was there before. Show it only those
// that fit a believed token, or strangers could fill it.
//
// There are two halves. A proof is accepted for Window and Ahead together, so
// after that time the young half holds nothing that may still come, and becomes
// the old one.
func (m *Memory) Once(p Proof, now time.Time) error {
	key := sha256.Sum256([]byte(p.Key + "\x00" + p.ID))
	m.mu.Lock()
	defer m.mu.Unlock()
	if now.Sub(m.turned) >= Window+Ahead {
		m.old, m.young, m.turned = m.young, make(map[[32]byte]struct{}), now
		m.keys = make(map[string]int)
	}
	if _, seen := m.young[key]; seen {
		return ErrReplay
	}
	if _, seen := m.old[key]; seen {
		return ErrReplay
	}
	most := m.Most
	if most <= 0 {
		most = mostByDefault
	}
	if len(m.young) >= most || m.keys[p.Key] >= max(most/2, 1) {
		return ErrFull
	}
	m.young[key] = struct{}{}
	m.keys[p.Key]++
	return nil
}
