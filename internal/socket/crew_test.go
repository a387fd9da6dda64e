package socket

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// However many sockets have something to do, few do it at once, and it is done
// for each of them.
func TestCrewWorksAFewAtATime(t *testing.T) {
	t.Parallel()
	const jobs, atOnce = 1000, 3
	w := newCrew(atOnce)
	w.patience = time.Hour
	var now, most, done atomic.Int32
	var all sync.WaitGroup
	all.Add(jobs)
	for range jobs {
		w.do(something(func() {
			defer all.Done()
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(10 * time.Microsecond)
			now.Add(-1)
			done.Add(1)
		}))
	}
	all.Wait()
	if done.Load() != jobs || most.Load() > atOnce {
		t.Errorf("%d of %d jobs were done, %d at once, want at most %d", done.Load(), jobs, most.Load(), atOnce)
	}
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		w.mu.Lock()
		left := len(w.workers)
		w.mu.Unlock()
		if left == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d workers stay without work", left)
		}
	}
}

// Jobs that block do not keep the others from being done, nor do those who did
// them instead stay when they are through.
func TestCrewReplacesWhoIsStuck(t *testing.T) {
	t.Parallel()
	w := newCrew(1)
	w.patience = time.Millisecond
	release := make(chan struct{})
	var stuck sync.WaitGroup
	stuck.Add(5)
	for range 5 {
		w.do(something(func() { defer stuck.Done(); <-release }))
	}
	done := make(chan struct{})
	w.do(something(func() { close(done) }))
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("one blocked job keeps all others waiting")
	}
	close(release)
	stuck.Wait()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		w.mu.Lock()
		left, counted := len(w.workers), w.stuck
		w.mu.Unlock()
		if left == 0 && counted == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d workers stay, %d of them counted as stuck", left, counted)
		}
	}
}

// What may wait gives way to a crew with much to do, but not for ever.
func TestCrewGivesWay(t *testing.T) {
	t.Parallel()
	first, then := newCrew(1), newCrew(1)
	then.first = first
	release := make(chan struct{})
	for range crewMany + 2 {
		first.do(something(func() { <-release }))
	}
	first.patience = time.Hour
	began := time.Now()
	var all sync.WaitGroup
	all.Add(2 * crewTurn)
	for range 2 * crewTurn {
		then.do(something(func() { all.Done() }))
	}
	all.Wait()
	if took := time.Since(began); took < crewWay {
		t.Errorf("all was done after %v, in spite of those who go first", took)
	}
	close(release)
}

// However many jobs block, whoever comes after them is not held up for long.
func TestCrewPassesManyThatBlock(t *testing.T) {
	t.Parallel()
	w := newCrew(2)
	release := make(chan struct{})
	defer close(release)
	for range 1000 {
		w.do(something(func() { <-release }))
	}
	done := make(chan struct{})
	w.do(something(func() { close(done) }))
	select {
	case <-done:
	case <-time.After(3 * time.Second):
		t.Error("after three seconds the one behind a thousand has not been served")
	}
}
