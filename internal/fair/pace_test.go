package fair_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse.dev/internal/fair"
)

// However many turns become free at once, those who wait get so many in a
// millisecond, and all of them in the end.
func TestPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := fair.NewQueue(8, 100)
		q.Pace(2)
		var leave []func()
		for range 8 {
			l, err := q.Enter(t.Context(), "first")
			if err != nil {
				t.Fatal(err)
			}
			leave = append(leave, l)
		}
		var in atomic.Int32
		for range 10 {
			go func() {
				l, err := q.Enter(t.Context(), "then")
				if err != nil {
					t.Error(err)
					return
				}
				in.Add(1)
				l()
			}()
		}
		synctest.Wait()
		for _, l := range leave {
			l()
		}
		for ms := range 6 {
			synctest.Wait()
			if got, want := int(in.Load()), min(2*(ms+1), 10); got != want {
				t.Errorf("after %d ms %d have had a turn, want %d", ms, got, want)
			}
			time.Sleep(time.Millisecond)
		}
	})
}
