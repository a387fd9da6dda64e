package revocation

import "sync"

// keepReceipts bounds the receipts held in memory, for callers who are waiting
// and for the next heartbeat. Older ones are asked from the store.
const keepReceipts = 4096

// receipts are this node's own reports.
type receipts struct {
	beat chan struct{} // something to send

	mu      sync.Mutex
	pending map[int64]bool // applied, but not everything is closed yet
	done    map[int64]Receipt
	order   []int64 // keys of done, the oldest first
	unsent  []Receipt
	changed chan struct{} // closed and replaced whenever done grows
}

func (r *receipts) init() {
	r.beat = make(chan struct{}, 1)
	r.pending = make(map[int64]bool)
	r.done = make(map[int64]Receipt)
	r.changed = make(chan struct{})
}

// expect notes entries that will be reported.
func (r *receipts) expect(entries []Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range entries {
		r.pending[e.N] = true
	}
}

// add takes a finished report.
func (r *receipts) add(x Receipt) {
	r.mu.Lock()
	delete(r.pending, x.Change)
	r.done[x.Change] = x
	r.order = append(r.order, x.Change)
	if len(r.order) > keepReceipts {
		delete(r.done, r.order[0])
		r.order = r.order[1:]
	}
	// When the store takes none for so long, the oldest are not waited for
	// any more.
	if len(r.unsent) == keepReceipts {
		r.unsent = r.unsent[1:]
	}
	r.unsent = append(r.unsent, x)
	close(r.changed)
	r.changed = make(chan struct{})
	r.mu.Unlock()
	signal(r.beat)
}

// get returns this node's report on a change, if it is finished.
func (r *receipts) get(change int64) (x Receipt, finished bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	x, finished = r.done[change]
	return x, finished
}

// waiting reports whether a change is applied, but not finished.
func (r *receipts) waiting(change int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pending[change]
}

// more is closed when there are more reports than now.
func (r *receipts) more() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

// toSend returns what no heartbeat has carried yet, and sent forgets it.
func (r *receipts) toSend() []Receipt {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Receipt(nil), r.unsent...)
}

func (r *receipts) sent(batch []Receipt) {
	gone := make(map[int64]bool, len(batch))
	for _, x := range batch {
		gone[x.Change] = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var rest []Receipt
	for _, x := range r.unsent {
		if !gone[x.Change] {
			rest = append(rest, x)
		}
	}
	r.unsent = rest
}
