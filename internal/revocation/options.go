package revocation

import (
	"log/slog"
	"time"

	"gatehouse.dev/internal/bus"
)

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
