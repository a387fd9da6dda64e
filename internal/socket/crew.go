package socket

import (
	"sync"
	"time"
)

// crew does small jobs of very many sockets, a few at a time and in the order in
// which they came.
//
// A goroutine that can run waits behind all others that can. If each of ten
// thousand sockets that have something to send, or have just been reset, did its
// work on a goroutine of its own, a request that comes at that moment would wait
// until all of them are done. So their work stands in a list, where it costs a
// few bytes, and what can run at once stays small whatever happens.
//
// Jobs may block: a peer that does not read, a TLS connection that says goodbye.
// A worker that gets nowhere for a while no longer counts, and another takes its
// place; so the slow harm the others little, and as many goroutines live as
// there are jobs that block.
type crew struct {
	atOnce   int
	allowed  int           // at once now: more while workers get stuck
	first    *crew         // to whose jobs it gives way, when they are many; nil: to nobody's
	patience time.Duration // without progress a worker counts as stuck; twice that at most

	mu       sync.Mutex
	jobs     []job // from next on
	next     int
	workers  map[*worker]struct{}
	stuck    int // of the workers
	well     int // looks in which nobody was found to be
	watching bool
}

// job is small. Those of sockets are the socket itself under another type, which
// costs nothing.
type job interface{ do() }

type (
	writing   Conn
	ending    Conn
	giving    Conn
	silenced  Conn
	something func()
)

func (c *writing) do()  { (*Conn)(c).write() }
func (c *ending) do()   { (*Conn)(c).end() }
func (c *giving) do()   { c.raw.Close() }
func (c *silenced) do() { (*Conn)(c).drop(errSilent) }
func (f something) do() { f() }

type worker struct {
	done  int  // jobs
	seen  int  // done, when the crew last looked
	stuck bool // was still at the same job
}

const (
	crewPatience = 20 * time.Millisecond
	// After crewTurn jobs, which take less than a millisecond, a worker rests.
	// That is more than letting others run: only when there is nothing to run
	// does the runtime look for what has come from the network.
	crewTurn = 32
	crewRest = 20 * time.Microsecond
	// A crew gives way to one with more jobs than crewMany, for crewWay in each
	// turn: ten thousand peers that are to hear of the end of their right hear it
	// before what is left of the first of them is cleared away.
	crewMany = 64
	crewMost = 512 // workers that are not stuck
	crewWay  = 10 * time.Millisecond
)

func newCrew(atOnce int) *crew {
	return &crew{atOnce: max(atOnce, 1), allowed: max(atOnce, 1), patience: crewPatience, workers: make(map[*worker]struct{})}
}

// do has j done, soon. It never blocks.
func (w *crew) do(j job) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.jobs = append(w.jobs, j)
	if len(w.workers)-w.stuck < w.allowed {
		w.hire()
		return
	}
	if !w.watching {
		w.watching = true
		time.AfterFunc(w.patience, w.look)
	}
}

// hire starts a worker. Call with mu held.
func (w *crew) hire() {
	me := &worker{seen: -1}
	w.workers[me] = struct{}{}
	go w.work(me)
}

func (w *crew) work(me *worker) {
	for {
		j, ok := w.take(me)
		if !ok {
			return
		}
		j.do()
		if me.done%crewTurn == 0 { // only look writes to the rest of it
			time.Sleep(crewRest)
			w.giveWay()
		}
	}
}

func (w *crew) giveWay() {
	if w.first == nil {
		return
	}
	for began := time.Now(); w.first.waiting() > crewMany && time.Since(began) < crewWay; {
		time.Sleep(time.Millisecond)
	}
}

func (w *crew) waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.jobs) - w.next
}

// take gives a worker its next job, or lets it go.
func (w *crew) take(me *worker) (job, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	me.done++
	if me.stuck {
		me.stuck = false
		w.stuck--
	}
	if w.next == len(w.jobs) || len(w.workers)-w.stuck > w.allowed {
		delete(w.workers, me)
		return nil, false
	}
	j := w.jobs[w.next]
	w.jobs[w.next] = nil
	if w.next++; w.next == len(w.jobs) {
		w.next = 0
		if w.jobs = w.jobs[:0]; cap(w.jobs) > 1024 {
			w.jobs = nil
		}
	}
	return j, true
}

// look replaces workers that are stuck, as long as there are jobs.
func (w *crew) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.next == len(w.jobs) {
		w.watching, w.allowed = false, w.atOnce
		return
	}
	before := w.stuck
	for me := range w.workers {
		if !me.stuck && me.done == me.seen {
			me.stuck = true
			w.stuck++
		}
		me.seen = me.done
	}
	// Where one is stuck the next may be: a thousand peers that do not read are
	// passed in a few looks, not in hundreds.
	if w.stuck > before {
		w.allowed, w.well = min(2*w.allowed, crewMost), 0
	} else if w.well++; w.well > 2 { // it takes two looks to see that one is stuck
		w.allowed = max(w.allowed/2, w.atOnce)
	}
	for range min(w.allowed-(len(w.workers)-w.stuck), len(w.jobs)-w.next) {
		w.hire()
	}
	time.AfterFunc(w.patience, w.look)
}
