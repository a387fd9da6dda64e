package revocation

import (
	"context"
	"fmt"
	"math"
	"time"
)

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
		signal(t.receipts.beat) // the others may have given this node up
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
