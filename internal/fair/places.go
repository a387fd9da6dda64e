package fair

import "sync"

// Places are a bounded number of places for things that nobody has proved a
// right to yet, such as sockets before a login. One source may take three
// quarters of them and no more, so that it cannot keep all others out; that is
// enough for a large office behind one address.
type Places struct {
	all, each int

	mu    sync.Mutex
	taken int
	held  map[string]int // by source
}

// NewPlaces makes that many, at least one.
func NewPlaces(all int) *Places {
	all = max(all, 1)
	return &Places{all: all, each: all - all/4, held: make(map[string]int)}
}

// Take reports whether there was a place for source; who has one gives it back
// with Leave.
func (p *Places) Take(source string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken >= p.all || p.held[source] >= p.each {
		return false
	}
	p.taken++
	p.held[source]++
	return true
}

// Leave gives one place of source back.
func (p *Places) Leave(source string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	if p.held[source]--; p.held[source] <= 0 {
		delete(p.held, source)
	}
}
