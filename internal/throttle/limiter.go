package throttle

import (
	"hash/maphash"
	"time"
)

// Rate is a request limit: N requests per Per on average, Burst at once (N
// when 0). The zero Rate is no limit.
type Rate struct {
	N     int
	Per   time.Duration
	Burst int
}

// Limited reports whether r is a limit at all.
func (r Rate) Limited() bool { return r.N > 0 && r.Per > 0 }

// Scope is what a request limit belongs to.
type Scope uint8

const (
	PerCredential Scope = iota + 1
	PerTenant
	PerRoute
	RefusedLogins
)

// RequestKey names one request limit. ID is the credential, the route, the
// source of refused logins, or empty for the tenant itself; to limit each
// credential on one route, join the two in ID.
type RequestKey struct {
	Scope  Scope
	Tenant string
	ID     string
}

// Limiter counts requests of callers who are known, with a token bucket for
// each key. Safe for concurrent use.
//
// It uses the same bounded table as the failures do. A key that had to leave
// comes back with at most an empty bucket, never with a fuller one than it
// left.
type Limiter struct {
	epoch time.Time
	seed  maphash.Seed
	table *table
}

// NewLimiter makes a Limiter for at least entries keys at a time.
func NewLimiter(now time.Time, entries int) *Limiter {
	return &Limiter{epoch: now, seed: maphash.MakeSeed(), table: newTable(entries)}
}

// Allow takes one token from k's bucket, or says when the next one is there.
func (l *Limiter) Allow(now time.Time, k RequestKey, r Rate) (ok bool, retryAfter time.Duration) {
	if !r.Limited() {
		return true, 0
	}
	cost, window := r.bucket()
	at := int64(now.Sub(l.epoch))

	d := l.digest(k)
	s := l.table.lock(d)
	defer s.mu.Unlock()
	m := s.enter(d) // not nil: nothing is ever pending here
	// The floor may stem from a key with a much slower rate.
	debt := min(max(m.empty-at, 0), window)
	if wait := debt + cost - window; wait > 0 {
		m.empty = at + debt
		return false, time.Duration(wait)
	}
	m.empty = at + debt + cost
	return true, 0
}

// Look says what Allow would, and takes nothing.
func (l *Limiter) Look(now time.Time, k RequestKey, r Rate) (ok bool, retryAfter time.Duration) {
	if !r.Limited() {
		return true, 0
	}
	cost, window := r.bucket()
	d := l.digest(k)
	s := l.table.lock(d)
	defer s.mu.Unlock()
	debt := min(max(s.peek(d).empty-int64(now.Sub(l.epoch)), 0), window)
	wait := max(debt+cost-window, 0)
	return wait == 0, time.Duration(wait)
}

// bucket is what one request takes, and what there is, in nanoseconds.
func (r Rate) bucket() (cost, window int64) {
	burst := int64(r.Burst)
	if burst <= 0 {
		burst = int64(r.N)
	}
	cost = max(int64(r.Per)/int64(r.N), 1)
	return cost, cost * burst
}

// digest needs no cryptography: keys are our own identifiers or addresses, and
// the seed is random.
func (l *Limiter) digest(k RequestKey) digest {
	h := maphash.Comparable(l.seed, k)
	return digest{hi: h, lo: h>>32 ^ h<<32}
}
