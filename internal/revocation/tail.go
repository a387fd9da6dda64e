package revocation

import (
	"context"
	"errors"
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
