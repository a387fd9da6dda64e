package remember

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"gatehouse.dev/internal/revocation"
)

// ErrOvertaken means that what was found out was overtaken by revocations each
// time it was tried. Trying later may help.
var ErrOvertaken = errors.New("overtaken by revocations")

// Log is what is known of rights taken away.
type Log interface {
	Position() revocation.Position
	Intact(g []revocation.Ground, asOf revocation.Position) bool
}

// Belief is what was found out.
type Belief[V any] struct {
	Value   V
	Grounds []revocation.Ground
	// AsOf is the log position taken before anything was read.
	AsOf revocation.Position
	// Until is when it is no longer remembered; zero: as long as Options say.
	Until time.Time
	// Once means that it is for those who are asking now, and not remembered.
	Once bool
}

// Options shape a Memory. Log is needed.
type Options struct {
	Log  Log
	Size int           // 65,536
	Life time.Duration // 5 minutes; bounds what the log does not know
	Load time.Duration // 10 s; the longest that finding out may take

	Logger *slog.Logger     // discards
	Now    func() time.Time // time.Now
}

// Memory remembers values of one type. It is safe for concurrent use.
type Memory[V any] struct {
	opts  Options
	cache *otter.Cache[Key, *entry[V]]

	mu      sync.Mutex
	flights map[Key]*flight[V]
}

type entry[V any] struct {
	value   V
	grounds []revocation.Ground
	asOf    revocation.Position
	until   time.Time
	// confirmed is the latest position up to which the grounds are known to be
	// intact, so that a revocation of somebody else's is looked up only once.
	confirmed atomic.Int64
}

// New makes an empty Memory.
func New[V any](o Options) *Memory[V] {
	if o.Size <= 0 {
		o.Size = 1 << 16
	}
	if o.Life <= 0 {
		o.Life = 5 * time.Minute
	}
	if o.Load <= 0 {
		o.Load = 10 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Memory[V]{
		opts: o,
		// The cache bounds memory only. How long an entry counts is decided
		// here, at each use.
		cache:   otter.Must(&otter.Options[Key, *entry[V]]{MaximumSize: o.Size}),
		flights: make(map[Key]*flight[V]),
	}
}

// Get returns what is remembered under k, if it still is to be believed.
func (m *Memory[V]) Get(k Key) (v V, ok bool) {
	e, found := m.cache.GetIfPresent(k)
	if !found {
		return v, false
	}
	if !m.opts.Now().Before(e.until) || !m.holds(e) {
		m.cache.Invalidate(k)
		return v, false
	}
	return e.value, true
}

// holds reports whether nothing that e rests on was taken away.
func (m *Memory[V]) holds(e *entry[V]) bool {
	at := m.opts.Log.Position()
	confirmed := e.confirmed.Load()
	if at.Incarnation == e.asOf.Incarnation && at.N == confirmed {
		return true
	}
	// The position was taken before: what is intact now was intact then.
	if !m.opts.Log.Intact(e.grounds, revocation.Position{Incarnation: e.asOf.Incarnation, N: confirmed}) {
		return false
	}
	e.confirmed.CompareAndSwap(confirmed, max(confirmed, at.N))
	return true
}

// put remembers b.
func (m *Memory[V]) put(k Key, b Belief[V]) {
	if b.Once {
		return
	}
	e := &entry[V]{value: b.Value, grounds: b.Grounds, asOf: b.AsOf, until: m.opts.Now().Add(m.opts.Life)}
	if !b.Until.IsZero() && b.Until.Before(e.until) {
		e.until = b.Until
	}
	e.confirmed.Store(b.AsOf.N)
	m.cache.Set(k, e)
}

// Len is how many things are remembered, roughly, for metrics.
func (m *Memory[V]) Len() int { return m.cache.EstimatedSize() }
