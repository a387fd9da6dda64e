package revocation

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// heart writes heartbeats: regularly, and as soon as there is something to
// report.
func (t *Tail) heart(ctx context.Context) {
	select {
	case <-ctx.Done():
		return
	case <-t.ready:
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-t.receipts.beat:
		}
		wait := t.opts.Beat
		if err := t.beat(ctx); err != nil {
			if !failing && ctx.Err() == nil {
				t.opts.Log.Warn("cannot write the heartbeat", "error", err)
			}
			failing = true
			wait = min(wait, time.Second)
		} else {
			failing = false
		}
		timer.Reset(wait)
	}
}

func (t *Tail) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, t.opts.Lease/3)
	defer cancel()
	batch, at := t.receipts.toSend(), t.Position()
	at.Incarnation &= stored
	if err := t.opts.Store.Heartbeat(ctx, t.opts.Node, at, batch); err != nil {
		return fmt.Errorf("write heartbeat: %w", err)
	}
	t.receipts.sent(batch)
	return nil
}

// Await waits until every live node has reported on a change, but no longer
// than Patience (2 s), and returns what has been reported. It nudges, so the
// caller need not.
//
// The end of ctx does not end the waiting: whoever asked may have gone, but
// what is recorded about the change should be true.
func (t *Tail) Await(ctx context.Context, change int64) Outcome {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.opts.Patience)
	defer cancel()
	t.Nudge()
	t.awaitOwn(ctx, change)

	pause := 5 * time.Millisecond
	for {
		out, err := t.Outcome(ctx, change)
		if err == nil && len(out.Unreached) == 0 {
			return out
		}
		select {
		case <-ctx.Done():
			return out
		case <-time.After(pause):
			pause = min(2*pause, 100*time.Millisecond)
		}
	}
}

// awaitOwn waits for this node's own report, without asking the store.
func (t *Tail) awaitOwn(ctx context.Context, change int64) {
	for {
		more := t.receipts.more()
		if _, finished := t.receipts.get(change); finished || t.Position().N >= change && !t.receipts.waiting(change) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-more:
		}
	}
}

// Known reports whether a change of that number has been made. Numbers rise one
// by one, so only those that are news here have to be asked for.
func (t *Tail) Known(ctx context.Context, change int64) (bool, error) {
	if change <= t.Position().N {
		return true, nil
	}
	b, err := t.opts.Store.RevocationsSince(ctx, change-1, 1)
	if err != nil {
		return false, fmt.Errorf("read the head of the log: %w", err)
	}
	return change <= b.Head, nil
}

// Outcome returns what has been reported on a change so far. With an error it
// still holds what this node knows by itself.
func (t *Tail) Outcome(ctx context.Context, change int64) (Outcome, error) {
	out := Outcome{Change: change}
	own, finished := t.receipts.get(change)
	if finished {
		out.Nodes = append(out.Nodes, own)
	}
	live, reported, err := t.ask(ctx, change)
	for _, r := range reported {
		if !finished || r.Node != t.opts.Node {
			out.Nodes = append(out.Nodes, r)
		}
	}
	if !out.has(t.opts.Node) && !t.receipts.waiting(change) && t.Position().N >= change {
		// Applied before this process began: nothing was open here.
		out.Nodes = append(out.Nodes, Receipt{Change: change, Node: t.opts.Node})
	}
	for _, node := range append(live, t.opts.Node) {
		if !out.has(node) && !slices.Contains(out.Unreached, node) {
			out.Unreached = append(out.Unreached, node)
		}
	}
	slices.Sort(out.Unreached)
	slices.SortFunc(out.Nodes, func(a, b Receipt) int { return cmp.Compare(a.Node, b.Node) })
	return out, err
}

// ask reads what only the store knows: who is alive, and what they reported.
func (t *Tail) ask(ctx context.Context, change int64) (live []string, reported []Receipt, err error) {
	if live, err = t.opts.Store.LiveNodes(ctx, t.opts.Lease); err != nil {
		return nil, nil, fmt.Errorf("list live nodes: %w", err)
	}
	if reported, err = t.opts.Store.Receipts(ctx, change); err != nil {
		return live, nil, fmt.Errorf("read receipts: %w", err)
	}
	return live, reported, nil
}

func (o Outcome) has(node string) bool {
	return slices.ContainsFunc(o.Nodes, func(r Receipt) bool { return r.Node == node })
}
