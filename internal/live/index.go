package live

import (
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse.dev/internal/id"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/revocation"
)

// Knowledge is what this node knows of the revocation log.
type Knowledge interface {
	// Intact reports whether none of the grounds was taken away after asOf.
	Intact(g []revocation.Ground, asOf revocation.Position) bool
	// Age is how old this node's knowledge is, and Lease how old it may be.
	Age() time.Duration
	Lease() time.Duration
}

// Options shape an Index. The zero value is good.
type Options struct {
	Leeway time.Duration // 30 s; added to an expiry, never to a revocation
	// Grace is how long conns are kept, passing nothing, once the lease is
	// over (30 s), and Spread over how long they are then ended (10 s).
	Grace, Spread time.Duration
	// Patience is how long a receipt waits for conns to be closed (1.5 s).
	Patience time.Duration
	// Rechecks is how many conns are asked again at once (16).
	Rechecks int

	Log *slog.Logger     // discards
	Now func() time.Time // time.Now
}

func (o Options) withDefaults() Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&o.Leeway, 30*time.Second)
	def(&o.Grace, 30*time.Second)
	def(&o.Spread, 10*time.Second)
	def(&o.Patience, 1500*time.Millisecond)
	if o.Rechecks <= 0 {
		o.Rechecks = 16
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Index is what is open on this node. All methods are safe for concurrent use.
type Index struct {
	opts  Options
	knows atomic.Pointer[Knowledge]

	mu      sync.Mutex
	conns   map[string]*Handle
	parties map[*identity.Identity]*party
	grounds map[revocation.Ground]set[party]
}

// party is the conns of one identity. Callers who are remembered share one, so
// that a thousand conns of one key cost one entry per ground.
type party struct {
	identity *identity.Identity
	conns    set[Handle]
}

// New makes an empty Index. It and the log's tail need each other; call Attach
// before the first conn is opened.
func New(o Options) *Index {
	return &Index{
		opts:    o.withDefaults(),
		conns:   make(map[string]*Handle),
		parties: make(map[*identity.Identity]*party),
		grounds: make(map[revocation.Ground]set[party]),
	}
}

// Attach tells the index where to ask how far this node's knowledge goes.
// Until then nothing passes.
func (x *Index) Attach(k Knowledge) { x.knows.Store(&k) }

func (x *Index) fresh() bool {
	k := x.knows.Load()
	return k != nil && (*k).Age() <= (*k).Lease()
}

// Open puts a conn in the index. The caller then checks the grounds of its
// identity once more before it lets anything out.
func (x *Index) Open(c Conn) *Handle {
	if c.ID == "" {
		c.ID = id.New("con")
	}
	h := &Handle{index: x, conn: c, opened: x.opts.Now()}
	x.mu.Lock()
	x.conns[c.ID] = h
	x.join(h, c.Identity)
	x.mu.Unlock()
	return h
}

// join makes h a conn of i. Under lock.
func (x *Index) join(h *Handle, i *identity.Identity) {
	h.current.Store(i)
	p := x.parties[i]
	if p == nil {
		p = &party{identity: i}
		x.parties[i] = p
		for _, g := range i.Grounds {
			s := x.grounds[g]
			s.add(p)
			x.grounds[g] = s
		}
	}
	p.conns.add(h)
	if !i.Expires.IsZero() {
		left := i.Expires.Add(x.opts.Leeway).Sub(x.opts.Now())
		h.expiry = time.AfterFunc(left, func() { h.end(Cause{Code: Expired}) })
	}
}

// leave undoes join. Under lock.
func (x *Index) leave(h *Handle) {
	if h.expiry != nil {
		h.expiry.Stop()
		h.expiry = nil
	}
	p := x.parties[h.current.Load()]
	if p.conns.remove(h); !p.conns.empty() {
		return
	}
	delete(x.parties, p.identity)
	for _, g := range p.identity.Grounds {
		s := x.grounds[g]
		if s.remove(p); s.empty() {
			delete(x.grounds, g)
		} else {
			x.grounds[g] = s
		}
	}
}

// Replace gives h another identity, after it was asked again. The caller then
// checks the new grounds once more, as after Open.
func (x *Index) Replace(h *Handle, i *identity.Identity) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if h.closed || h.current.Load() == i {
		return
	}
	x.leave(h)
	x.join(h, i)
}

func (x *Index) close(h *Handle) {
	x.mu.Lock()
	if h.closed {
		x.mu.Unlock()
		return
	}
	h.closed = true
	x.leave(h)
	delete(x.conns, h.conn.ID)
	t := h.tally
	x.mu.Unlock()
	if t != nil {
		t.done()
	}
}

// Len is how many conns are open.
func (x *Index) Len() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.conns)
}

// CloseConn ends one conn, and reports whether there was one to end.
func (x *Index) CloseConn(id string) bool {
	x.mu.Lock()
	h := x.conns[id]
	x.mu.Unlock()
	return h != nil && h.end(Cause{Code: Closed})
}

// all returns what is open now.
func (x *Index) all() []*Handle {
	x.mu.Lock()
	defer x.mu.Unlock()
	hs := make([]*Handle, 0, len(x.conns))
	for _, h := range x.conns {
		hs = append(hs, h)
	}
	return hs
}

// place of a conn among all, in [0, 1), by its id: for spreading.
func (h *Handle) place() float64 {
	const prime = 1099511628211 // FNV-1a
	sum := uint64(14695981039346656037)
	for i := range len(h.conn.ID) {
		sum = (sum ^ uint64(h.conn.ID[i])) * prime
	}
	return float64(sum>>11) / math.Exp2(53)
}
