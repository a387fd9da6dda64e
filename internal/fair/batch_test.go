package fair_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse.dev/internal/fair"
)

// Turns come in batches with a pause after each; somebody who takes long holds
// nobody up for long, and all get a turn in the end.
func TestBatches(t *testing.T) {
	t.Parallel()
	const pause, patience = 100 * time.Microsecond, 2 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		q := fair.NewQueue(3, 100)
		q.InBatches(2)
		var leave []func()
		began := time.Now()
		for range 3 {
			l, err := q.Enter(t.Context(), "first")
			if err != nil {
				t.Fatal(err)
			}
			leave = append(leave, l)
		}
		if took := time.Since(began); took != patience {
			t.Errorf("the third had a turn after %v, want when patience with the two before ends", took)
		}
		time.Sleep(patience)
		var in atomic.Int32
		wait := func(n int, takes time.Duration) {
			for range n {
				go func() {
					l, err := q.Enter(t.Context(), "then")
					if err != nil {
						t.Error(err)
						return
					}
					in.Add(1)
					time.Sleep(takes)
					l()
				}()
				synctest.Wait()
			}
		}
		expect := func(when string, want int32) {
			t.Helper()
			synctest.Wait()
			if got := in.Load(); got != want {
				t.Errorf("%s %d have had a turn, want %d", when, got, want)
			}
		}
		wait(4, 0)
		wait(1, time.Hour)
		wait(4, 0)
		expect("while others work", 0)
		leave[0]()
		expect("with one free turn", 1)
		time.Sleep(pause)
		expect("after a pause", 2)
		leave[1]()
		leave[2]()
		time.Sleep(pause)
		expect("with three free turns", 4)
		time.Sleep(pause)
		expect("with one who takes long", 6)
		time.Sleep(patience - 1)
		expect("before patience ends", 6)
		time.Sleep(1 * time.Nanosecond)
		expect("after patience", 8)
		time.Sleep(pause)
		expect("in the end", 9)
		if q.Waiting() != 0 {
			t.Errorf("%d wait", q.Waiting())
		}
		time.Sleep(2 * time.Hour)
	})
}
