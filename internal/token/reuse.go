package token

import (
	"sync"
	"time"

	"gatehouse.dev/internal/revocation"
)

// Ask is what must be the same for a token to be given again: who asks, on
// which secret, for what. Scope and Audience are compared as written.
type Ask struct {
	Tenant   string
	Profile  string
	Client   string // principal id
	Secret   string // secret id
	Scope    string
	Audience string
	ProofKey string
}

// maxRemembered bounds the tokens that are kept for giving again.
const maxRemembered = 10_000

// given is a token that may be given again until a time, if what it rests on
// stands.
type given struct {
	Issued
	until   time.Time
	grounds []revocation.Ground
	asOf    revocation.Position
}

// reuse remembers given tokens, on this node only.
type reuse struct {
	mu    sync.Mutex
	given map[Ask]given
}

func (r *reuse) get(a Ask, now time.Time) (given, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	g, ok := r.given[a]
	if ok && !now.Before(g.until) {
		delete(r.given, a)
		ok = false
	}
	return g, ok
}

func (r *reuse) put(a Ask, g given, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.given == nil {
		r.given = make(map[Ask]given)
	}
	if len(r.given) >= maxRemembered {
		for old, g := range r.given {
			if !now.Before(g.until) {
				delete(r.given, old)
			}
		}
	}
	for old := range r.given { // still full: any one, it only costs a signature
		if len(r.given) < maxRemembered {
			break
		}
		delete(r.given, old)
	}
	r.given[a] = g
}

func (r *reuse) drop(a Ask) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.given, a)
}
