package throttle

import "sync"

// ways is the number of entries in a set: enough that an uneven hash seldom
// fills one, few enough to look at all of them.
const ways = 8

// table holds meters for a fixed number of keys. Safe for concurrent use; one
// lock per set, held for a few comparisons.
type table struct {
	sets []set
	mask uint64
}

type set struct {
	mu sync.Mutex
	// floor is the maximum of every meter that had to leave this set, and what
	// a key starts with that is not in it.
	floor meter
	tags  [ways]uint64 // digest.hi, 0 for a free place
	held  [ways]meter
}

// newTable makes a table for at least n keys.
func newTable(n int) *table {
	sets := 1
	for sets*ways < n {
		sets *= 2
	}
	return &table{sets: make([]set, sets), mask: uint64(sets - 1)}
}

// lock returns d's set, locked.
func (t *table) lock(d digest) *set {
	s := &t.sets[d.lo&t.mask]
	s.mu.Lock()
	return s
}

func tag(d digest) uint64 { return d.hi | 1 } // never the tag of a free place

// find returns d's meter, or nil.
func (s *set) find(d digest) *meter {
	for i, g := range &s.tags {
		if g == tag(d) {
			return &s.held[i]
		}
	}
	return nil
}

// peek returns what is known of d, without giving it a place.
func (s *set) peek(d digest) meter {
	if m := s.find(d); m != nil {
		return *m
	}
	return s.floor
}

// enter returns d's meter and gives it a place if it has none, the coldest.
// Places with pending attempts are not given away; when all have some, enter
// returns nil.
func (s *set) enter(d digest) *meter {
	if m := s.find(d); m != nil {
		return m
	}
	coldest := -1
	for i := range s.held {
		if s.tags[i] == 0 {
			coldest = i
			break
		}
		if s.held[i].pending > 0 {
			continue
		}
		if coldest < 0 || s.held[i].heat() < s.held[coldest].heat() {
			coldest = i
		}
	}
	if coldest < 0 {
		return nil
	}
	s.floor.merge(s.held[coldest])
	s.tags[coldest] = tag(d)
	s.held[coldest] = s.floor
	return &s.held[coldest]
}
