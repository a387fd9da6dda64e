package revocation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse.dev/internal/bus"
)

// Subject is where nodes tell each other that the log has grown.
const Subject = "revocation.log"

// ErrNotFresh means that this node has not been able to read the log for
// longer than the lease, so that it cannot know whether what it remembers
// still holds.
var ErrNotFresh = errors.New("the revocation log has not been readable for too long")

// Conns is what is open on this node.
type Conns interface {
	// Apply ends (or, for effect Recheck, asks again) whatever rests on the
	// grounds of e. It does not wait; report is called once, with the number
	// that ended, when the last of them is closed or has taken too long.
	Apply(e Entry, report func(closed int))
	// Reset ends everything, because the log is another one than before.
	Reset()
}

// Options shape a Tail. Store and Node are needed; the rest has defaults.
type Options struct {
	Store Store
	Node  string  // name of this node, unique in the cluster
	Conns Conns   // nil: nothing is ever open here
	Bus   bus.Bus // nil: nudges stay on this node

	Lease    time.Duration // 30 s; see Tail.Fresh
	Interval time.Duration // 250 ms between reads that nobody asked for
	Beat     time.Duration // 5 s between heartbeats that have nothing to say
	Patience time.Duration // 2 s; the longest that Await waits
	Keep     int           // 65,536 grounds

	Log *slog.Logger     // discards
	Now func() time.Time // time.Now
}

func (o Options) withDefaults() Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&o.Lease, 30*time.Second)
	def(&o.Interval, 250*time.Millisecond)
	def(&o.Beat, 5*time.Second)
	def(&o.Patience, 2*time.Second)
	if o.Keep <= 0 {
		o.Keep = 1 << 16
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Tail follows the log on one node. Make it with NewTail and keep Run running;
// all methods are safe for concurrent use.
type Tail struct {
	opts  Options
	epoch time.Time
	table table

	// lastGood is when the last good read began, in nanoseconds since epoch;
	// -1 before the first.
	lastGood atomic.Int64
	ready    chan struct{} // closed by the first good read
	becomes  sync.Once
	troubled bool  // the last read failed; only Run's goroutine looks
	resets   int64 // of the log under one incarnation; only Run's goroutine looks
	wake     chan struct{}
	announce chan struct{}
	receipts receipts
}

// NewTail makes a Tail that knows nothing yet.
func NewTail(o Options) *Tail {
	o = o.withDefaults()
	t := &Tail{
		opts:     o,
		epoch:    o.Now(),
		table:    table{keep: o.Keep},
		ready:    make(chan struct{}),
		wake:     make(chan struct{}, 1),
		announce: make(chan struct{}, 1),
	}
	t.lastGood.Store(-1)
	t.receipts.init()
	return t
}

// Ready is closed once the log has been read. Until then nothing is fresh and
// nothing intact.
func (t *Tail) Ready() <-chan struct{} { return t.ready }

// Position is the last number applied. Take it before reading from the store;
// what was read is then believable as of that position. Its incarnation is for
// comparison on this node only.
func (t *Tail) Position() Position { return t.table.position() }

// Intact reports whether none of the grounds was taken away after asOf. It
// says nothing about freshness; ask Fresh too.
func (t *Tail) Intact(g []Ground, asOf Position) bool { return t.table.intact(g, asOf) }

// Age is how old this node's knowledge is: the time since the start of its
// last good read. Before the first it is the longest duration there is.
func (t *Tail) Age() time.Duration {
	last := t.lastGood.Load()
	if last < 0 {
		return math.MaxInt64
	}
	return t.opts.Now().Sub(t.epoch) - time.Duration(last)
}

// Fresh returns nil while this node's knowledge is no older than the lease,
// and ErrNotFresh after that.
func (t *Tail) Fresh() error {
	if t.Age() > t.opts.Lease {
		return ErrNotFresh
	}
	return nil
}

// Lease is how old knowledge may become before it is not trusted any more.
func (t *Tail) Lease() time.Duration { return t.opts.Lease }

// Nudge says that this node has just committed an entry: it reads the log at
// once and tells the others. It does not wait.
func (t *Tail) Nudge() {
	t.Wake()
	signal(t.announce)
}

// Wake makes this node read the log at once, because it heard from elsewhere
// that there is something to read.
func (t *Tail) Wake() { signal(t.wake) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run follows the log until ctx ends, and returns ctx's error. A log that
// cannot be read is tried again; meanwhile Fresh runs out.
func (t *Tail) Run(ctx context.Context) error {
	var others sync.WaitGroup
	defer others.Wait()
	if t.opts.Bus != nil {
		defer t.opts.Bus.Subscribe(Subject, func(bus.Message) { t.Wake() })()
		others.Go(func() { t.announcer(ctx) })
	}
	others.Go(func() { t.heart(ctx) })

	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.wake:
		case <-timer.C:
		}
		t.read(ctx)
		timer.Reset(t.opts.Interval)
	}
}

// read brings this node up to date, and logs when that begins or ceases to
// fail.
func (t *Tail) read(ctx context.Context) {
	// A read that hangs would keep the next one, on a better connection, from
	// being tried.
	ctx, cancel := context.WithTimeout(ctx, t.opts.Lease/3)
	defer cancel()
	err := t.catchUp(ctx)
	switch {
	case err != nil && ctx.Err() == context.Canceled:
	case err != nil && !t.troubled:
		t.troubled = true
		t.opts.Log.Warn("cannot read the revocation log", "error", err, "lease", t.opts.Lease)
	case err == nil && t.troubled:
		t.troubled = false
		t.opts.Log.Info("the revocation log can be read again")
	}
}

// catchUp reads and applies until the head of the log is reached.
func (t *Tail) catchUp(ctx context.Context) error {
	for {
		began := t.opts.Now()
		after := t.Position()
		if !t.known() {
			after.N = math.MaxInt64 // only where the head is: nothing is remembered yet
		}
		b, err := t.opts.Store.RevocationsSince(ctx, after.N, 0)
		if err != nil {
			return fmt.Errorf("read revocations: %w", err)
		}
		if !t.take(b, began) {
			continue
		}
		t.lastGood.Store(int64(began.Sub(t.epoch)))
		t.becomes.Do(func() { close(t.ready) })
		return nil
	}
}

// known reports whether this node has a position in the log.
func (t *Tail) known() bool {
	t.table.mu.RLock()
	defer t.table.mu.RUnlock()
	return t.table.ready
}

// The lower bits of a position's incarnation are the stored one; the upper
// count how often the log changed under it.
const (
	storedBits = 40
	stored     = 1<<storedBits - 1
)

// take applies one batch, and reports whether that was all there is.
func (t *Tail) take(b Batch, began time.Time) bool {
	at := t.Position()
	if !t.known() {
		t.table.reset(Position{b.Incarnation, b.Head})
		return true
	}
	if !follows(b, at) {
		t.opts.Log.Warn("the revocation log is another one; forgetting everything",
			"incarnation", b.Incarnation, "head", b.Head, "was", at.Incarnation&stored, "at", at.N)
		// Numbers may come again under the same incarnation, which must not
		// make earlier beliefs look current: they get an incarnation of ours.
		if b.Incarnation == at.Incarnation&stored {
			t.resets++
		} else {
			t.resets = 0
		}
		t.table.reset(Position{b.Incarnation | t.resets<<storedBits, b.Head})
		if t.opts.Conns != nil {
			t.opts.Conns.Reset()
		}
		return true
	}
	if len(b.Entries) == 0 {
		return true
	}
	// First the table, then what is open: a conn is put in the index before its
	// grounds are checked a last time, so one of the two sees the entry.
	t.receipts.expect(b.Entries)
	t.table.apply(b.Entries)
	for _, e := range b.Entries {
		t.carryOut(e, began)
	}
	return b.Entries[len(b.Entries)-1].N >= b.Head
}

// follows reports whether b goes on exactly where this node stands. A log that
// went backwards, or from which entries are missing, is not the one we knew,
// whatever its incarnation says.
func follows(b Batch, at Position) bool {
	if b.Incarnation != at.Incarnation&stored || b.Head < at.N {
		return false
	}
	if len(b.Entries) == 0 {
		return b.Head == at.N
	}
	for i, e := range b.Entries {
		if e.N != at.N+int64(i)+1 {
			return false
		}
	}
	return true
}

// carryOut ends what rests on e, and reports when that is done.
func (t *Tail) carryOut(e Entry, began time.Time) {
	report := func(closed int) {
		t.receipts.add(Receipt{
			Change:        e.N,
			Node:          t.opts.Node,
			SocketsClosed: closed,
			Took:          t.opts.Now().Sub(began),
		})
	}
	if t.opts.Conns == nil {
		report(0)
		return
	}
	t.opts.Conns.Apply(e, report)
}

// announcer tells the other nodes, so that a slow bus does not hold up Run.
func (t *Tail) announcer(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.announce:
		}
		short, cancel := context.WithTimeout(ctx, time.Second)
		if err := t.opts.Bus.Publish(short, Subject, nil); err != nil && ctx.Err() == nil {
			t.opts.Log.Debug("cannot nudge other nodes; they look by themselves", "error", err)
		}
		cancel()
	}
}
