package throttle

import (
	"fmt"
	"net/netip"
	"time"
)

// Limit is an allowance of failures.
type Limit struct {
	// Failures within Per; the one that uses them up starts a pause.
	Failures int
	Per      time.Duration
	// Parallel is how many attempts may be undecided at once beyond the
	// failures still allowed. 0 is strict: never more guesses than Failures.
	// More than 0 is for places that many honest callers share.
	Parallel int
}

// Options say how strict a Throttle is. Zero fields take their defaults.
type Options struct {
	Pair     Limit // identity and source together: 10 a minute
	Source   Limit // source alone: 60 a minute, 256 parallel
	Identity Limit // identity alone: 100 in 15 minutes

	FirstPause   time.Duration // 1 minute
	LongestPause time.Duration // 15 minutes

	// KnownFor is how long a source stays known after a success: 30 days.
	KnownFor time.Duration
	// Entries is the size of each table in keys: 65,536, about 3 MB a table.
	Entries int
}

func (o Options) withDefaults() Options {
	def := func(l *Limit, d Limit) {
		if l.Failures <= 0 || l.Per <= 0 {
			*l = d
		}
	}
	def(&o.Pair, Limit{Failures: 10, Per: time.Minute})
	def(&o.Source, Limit{Failures: 60, Per: time.Minute, Parallel: 256})
	def(&o.Identity, Limit{Failures: 100, Per: 15 * time.Minute})
	if o.FirstPause <= 0 {
		o.FirstPause = time.Minute
	}
	if o.LongestPause <= 0 {
		o.LongestPause = 15 * time.Minute
	}
	if o.KnownFor <= 0 {
		o.KnownFor = 30 * 24 * time.Hour
	}
	if o.Entries <= 0 {
		o.Entries = 1 << 16
	}
	return o
}

// Key is who tries, and from where.
type Key struct {
	Tenant string
	// Identity is the name as it was presented, normalised the way names are
	// looked up: otherwise each spelling would get an allowance of its own.
	Identity string
	Source   netip.Addr
}

// Kind of a Verdict.
type Kind uint8

const (
	// OK: go on and verify.
	OK Kind = iota
	// Wrong: refuse, looking and taking exactly as with a wrong secret.
	Wrong
	// Later: refuse and say so, with Retry-After.
	Later
)

func (k Kind) String() string {
	switch k {
	case OK:
		return "ok"
	case Wrong:
		return "wrong"
	case Later:
		return "later"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Verdict answers Ask. RetryAfter is set with Later only, at least one second.
type Verdict struct {
	Kind       Kind
	RetryAfter time.Duration
}

func later(wait int64) Verdict {
	return Verdict{Kind: Later, RetryAfter: max(time.Duration(wait), time.Second)}
}

// Throttle counts failures. Safe for concurrent use.
type Throttle struct {
	epoch                      time.Time
	hash                       hasher
	pairs, sources, identities *table
	known                      *known
	pair, source, identity     rules
}

// New makes a Throttle. now is the beginning of its time; when it has a
// monotonic reading, steps of the wall clock change nothing.
func New(now time.Time, o Options) *Throttle {
	o = o.withDefaults()
	return &Throttle{
		epoch:      now,
		hash:       newHasher(),
		pairs:      newTable(o.Entries),
		sources:    newTable(o.Entries),
		identities: newTable(o.Entries),
		known:      newKnown(o.Entries, o.KnownFor),
		pair:       o.Pair.rules(o.FirstPause, o.LongestPause),
		source:     o.Source.rules(o.FirstPause, o.LongestPause),
		identity:   o.Identity.rules(o.FirstPause, o.LongestPause),
	}
}

func (t *Throttle) at(now time.Time) int64 { return int64(now.Sub(t.epoch)) }

func (t *Throttle) digests(k Key) (pair, source, identity digest) {
	src := sourceOf(k.Source)
	return t.hash.sum(kindPair, k.Tenant, k.Identity, src),
		t.hash.sum(kindSource, "", "", src),
		t.hash.sum(kindIdentity, k.Tenant, k.Identity, [17]byte{})
}

// Look says whether k is refused at the moment, and counts nothing. It is for
// attempts whose secret is remembered to be right.
func (t *Throttle) Look(now time.Time, k Key) Verdict {
	at := t.at(now)
	pair, source, identity := t.digests(k)
	if w := t.source.look(t.sources, source, at); w > 0 {
		return later(w)
	}
	if t.pair.look(t.pairs, pair, at) > 0 {
		return Verdict{Kind: Wrong}
	}
	if t.identity.look(t.identities, identity, at) > 0 && !t.known.has(pair, at) {
		return Verdict{Kind: Wrong}
	}
	return Verdict{}
}

// look is the wait of d, which takes no place in the table. Attempts of others
// that are pending do not stand in the way of one that is known to be right.
func (r *rules) look(t *table, d digest, now int64) int64 {
	s := t.lock(d)
	defer s.mu.Unlock()
	m := s.peek(d)
	m.pending = 0
	return r.wait(&m, now)
}
