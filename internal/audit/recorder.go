package audit

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	recorderQueue  = 8192 // events waiting for the store; the rest is dropped and counted
	recorderBatch  = 256
	recorderLinger = 100 * time.Millisecond
	retryFirst     = 100 * time.Millisecond
	retryMost      = 5 * time.Second
	drainWithin    = 5 * time.Second
	protectTries   = 3
)

// Appender is the part of a Store that a Recorder needs.
type Appender interface {
	AppendEvents(ctx context.Context, events []Event) error
}

// Recorder takes what happens on the hot path. Record never blocks and never
// fails: events wait in a bounded queue and are written in batches; like
// failures are folded into counts; what does not fit is dropped, counted and
// reported in a row of its own as soon as the store takes one again.
//
// Make it with [NewRecorder]; it is safe for concurrent use.
type Recorder struct {
	store     Appender
	protector Protector
	node      string
	log       *slog.Logger

	queue   chan Event
	dropped atomic.Int64 // not reported yet
	total   atomic.Int64 // ever dropped

	mu    sync.Mutex
	folds folds
}

// NewRecorder makes a recorder for one node. Nothing is written until Run.
func NewRecorder(store Appender, p Protector, node string, log *slog.Logger) *Recorder {
	return &Recorder{store: store, protector: p, node: node, log: log, queue: make(chan Event, recorderQueue)}
}

// Record takes an event. Its maps must not be changed afterwards.
func (r *Recorder) Record(_ context.Context, e Event) {
	now := time.Now()
	if e.At.IsZero() {
		e.At = now
	}
	if e.Node == "" {
		e.Node = r.node
	}
	if e.Outcome == OK || e.Outcome == "" {
		r.enqueue(e)
		return
	}
	r.fold(now, e, identityOf(e))
}

// RecordOften takes an event of which a busy program makes many, such as a
// message sent: those of one actor about one target are folded into counts as
// failures are, however they ended.
func (r *Recorder) RecordOften(_ context.Context, e Event) {
	now := time.Now()
	if e.At.IsZero() {
		e.At = now
	}
	if e.Node == "" {
		e.Node = r.node
	}
	if e.Outcome == "" {
		e.Outcome = OK
	}
	r.fold(now, e, e.Actor+" "+e.Target)
}

// fold keeps one of the first few alike, and counts the others.
func (r *Recorder) fold(now time.Time, e Event, identity string) {
	r.mu.Lock()
	over := r.folds.turn(now)
	keep := r.folds.add(e, identity)
	r.mu.Unlock()
	for _, e := range over {
		r.enqueue(e)
	}
	if keep {
		r.enqueue(e)
	}
}

// Dropped is how many events were lost since the start, for the metrics.
func (r *Recorder) Dropped() int64 { return r.total.Load() }

// Waiting is how many events wait for the store.
func (r *Recorder) Waiting() int { return len(r.queue) }

func (r *Recorder) enqueue(e Event) {
	select {
	case r.queue <- e:
	default:
		n := max(e.Count, 1)
		r.dropped.Add(n)
		r.total.Add(n)
	}
}

// Run writes until ctx ends, and then what is left, for a few seconds.
func (r *Recorder) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return r.drain(context.WithoutCancel(ctx))
		case e := <-r.queue:
			r.write(ctx, r.collect(ctx, e))
		case now := <-tick.C:
			r.turn(now)
			if r.dropped.Load() > 0 {
				r.write(ctx, nil)
			}
		}
	}
}

// turn hands over the counts of a minute that is over.
func (r *Recorder) turn(now time.Time) {
	r.mu.Lock()
	over := r.folds.turn(now)
	r.mu.Unlock()
	for _, e := range over {
		r.enqueue(e)
	}
}

// collect waits a moment for company: one transaction costs the same for one
// row and for many.
func (r *Recorder) collect(ctx context.Context, first Event) []Event {
	batch := append(make([]Event, 0, 16), first)
	linger := time.NewTimer(recorderLinger)
	defer linger.Stop()
	for len(batch) < recorderBatch {
		select {
		case e := <-r.queue:
			batch = append(batch, e)
		case <-linger.C:
			return batch
		case <-ctx.Done():
			return batch
		}
	}
	return batch
}

func (r *Recorder) drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, drainWithin)
	defer cancel()
	r.turn(time.Time{})
	for {
		var batch []Event
		for len(batch) < recorderBatch {
			select {
			case e := <-r.queue:
				batch = append(batch, e)
				continue
			default:
			}
			break
		}
		if len(batch) == 0 && r.dropped.Load() == 0 {
			return nil
		}
		r.write(ctx, batch)
		if ctx.Err() != nil {
			return errors.New("audit rows were still waiting at the stop")
		}
	}
}

// write stores a batch, trying again for as long as it takes: meanwhile the
// queue fills and overflows, which is counted.
func (r *Recorder) write(ctx context.Context, batch []Event) {
	if n := r.dropped.Swap(0); n > 0 {
		batch = append(batch, Event{
			At: time.Now(), Node: r.node, Actor: "system", Action: ActionDropped,
			Outcome: Failed, Reason: "the queue of audit events was full", Count: n,
		})
	}
	for i := range batch { // so that a batch sent twice is stored once
		if batch[i].ID == "" {
			batch[i].ID = newID(batch[i].At)
		}
	}
	wait := retryFirst
	for try := 1; ; try++ {
		err := r.protect(ctx, batch, try)
		if err == nil {
			err = r.store.AppendEvents(ctx, batch)
		}
		if err == nil {
			return
		}
		if try == 1 && ctx.Err() == nil { // at the stop it is not lost, see below
			r.log.Error("audit rows cannot be written; trying again", "rows", len(batch), "error", err)
		}
		select {
		case <-ctx.Done():
			// The stop: drain has a deadline of its own, and gets these once more.
			r.putBack(batch)
			return
		case <-time.After(wait):
			wait = min(2*wait, retryMost)
		}
	}
}

func (r *Recorder) putBack(batch []Event) {
	for _, e := range batch {
		r.enqueue(e)
	}
}

// protect encrypts what is personal. A person whose key is gone, or cannot be
// had for several tries, is left out: better a row without a name than none.
func (r *Recorder) protect(ctx context.Context, batch []Event, try int) error {
	for i, e := range batch {
		p, err := Protect(ctx, r.protector, e)
		switch {
		case err == nil:
			batch[i] = p
		case errors.Is(err, ErrErased) || try >= protectTries:
			batch[i].Personal = nil
			batch[i].Detail = cleanMap(e.Detail)
			if batch[i].Detail == nil {
				batch[i].Detail = map[string]string{}
			}
			batch[i].Detail["personal"] = "could not be protected, left out"
		default:
			return err
		}
	}
	return nil
}
