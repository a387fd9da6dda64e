package throttle

import (
	"sync"
	"time"
)

// known remembers which sources each identity has logged in from. Losing an
// entry only means that the loose limit applies there again, so the least
// recently used simply leaves.
type known struct {
	sets []knownSet
	mask uint64
	keep int64
}

type knownSet struct {
	mu   sync.Mutex
	tags [ways]uint64
	seen [ways]int64
}

func newKnown(n int, keep time.Duration) *known {
	sets := 1
	for sets*ways < n {
		sets *= 2
	}
	return &known{sets: make([]knownSet, sets), mask: uint64(sets - 1), keep: int64(keep)}
}

// has reports whether pair succeeded within the last keep.
func (k *known) has(pair digest, now int64) bool {
	s := &k.sets[pair.lo&k.mask]
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, g := range &s.tags {
		if g == tag(pair) {
			return now-s.seen[i] <= k.keep
		}
	}
	return false
}

// add notes a success of pair.
func (k *known) add(pair digest, now int64) {
	s := &k.sets[pair.lo&k.mask]
	s.mu.Lock()
	defer s.mu.Unlock()
	place := 0
	for i, g := range &s.tags {
		if g == tag(pair) {
			place = i
			break
		}
		if g == 0 && s.tags[place] != 0 || s.tags[place] != 0 && s.seen[i] < s.seen[place] {
			place = i
		}
	}
	s.tags[place], s.seen[place] = tag(pair), now
}
