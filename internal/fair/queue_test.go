package fair_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse.dev/internal/fair"
)

// crowd starts callers one after the other and notes in which order they get
// their turn. It must run inside a synctest bubble.
type crowd struct {
	t      *testing.T
	q      *fair.Queue
	mu     sync.Mutex
	served []string
	errs   map[string]error
}

func newCrowd(t *testing.T, q *fair.Queue) *crowd {
	return &crowd{t: t, q: q, errs: map[string]error{}}
}

// enter lets name ask for source and give the turn back at once.
func (c *crowd) enter(ctx context.Context, source, name string) {
	go func() {
		leave, err := c.q.Enter(ctx, source)
		c.mu.Lock()
		if err != nil {
			c.errs[name] = err
		} else {
			c.served = append(c.served, name)
		}
		c.mu.Unlock()
		if err == nil {
			leave()
		}
	}()
	synctest.Wait()
}

func hold(t *testing.T, q *fair.Queue) (release func()) {
	t.Helper()
	leave, err := q.Enter(t.Context(), "holder")
	if err != nil {
		t.Fatal(err)
	}
	return leave
}

func TestTurnsGoRoundBySource(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := fair.NewQueue(1, 10)
		release := hold(t, q)
		c := newCrowd(t, q)
		for i := range 4 {
			c.enter(t.Context(), "greedy", fmt.Sprintf("greedy%d", i))
		}
		c.enter(t.Context(), "modest", "modest")
		release()
		synctest.Wait()
		want := []string{"greedy0", "modest", "greedy1", "greedy2", "greedy3"}
		if !slices.Equal(c.served, want) {
			t.Errorf("served %v, want %v", c.served, want)
		}
		if q.Waiting() != 0 {
			t.Errorf("%d still waiting", q.Waiting())
		}
	})
}

func TestFullQueueMakesRoomForOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := fair.NewQueue(1, 4)
		release := hold(t, q)
		c := newCrowd(t, q)
		for i := range 5 {
			c.enter(t.Context(), "greedy", fmt.Sprintf("greedy%d", i))
		}
		if !errors.Is(c.errs["greedy4"], fair.ErrBusy) {
			t.Fatalf("the fifth of one source got %v, want ErrBusy", c.errs["greedy4"])
		}
		c.enter(t.Context(), "modest", "modest0")
		c.enter(t.Context(), "modest", "modest1")
		c.enter(t.Context(), "modest", "modest2")
		if !errors.Is(c.errs["greedy3"], fair.ErrBusy) || !errors.Is(c.errs["greedy2"], fair.ErrBusy) {
			t.Errorf("the greedy source was not cut to its share: %v", c.errs)
		}
		if !errors.Is(c.errs["modest2"], fair.ErrBusy) {
			t.Errorf("the modest source got more than its share: %v", c.errs)
		}
		release()
		synctest.Wait()
		want := []string{"greedy0", "modest0", "greedy1", "modest1"}
		if !slices.Equal(c.served, want) {
			t.Errorf("served %v, want %v", c.served, want)
		}
	})
}

func TestEnterHeedsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := fair.NewQueue(1, 4)
		release := hold(t, q)
		c := newCrowd(t, q)
		ctx, cancel := context.WithCancel(t.Context())
		c.enter(ctx, "a", "gone")
		c.enter(t.Context(), "a", "stays")
		cancel()
		synctest.Wait()
		if !errors.Is(c.errs["gone"], context.Canceled) {
			t.Errorf("error = %v, want context.Canceled", c.errs["gone"])
		}
		if q.Waiting() != 1 {
			t.Errorf("%d waiting, want 1", q.Waiting())
		}
		release()
		synctest.Wait()
		if !slices.Equal(c.served, []string{"stays"}) {
			t.Errorf("served %v", c.served)
		}
		if _, err := q.Enter(ctx, "a"); !errors.Is(err, context.Canceled) {
			t.Errorf("an ended context got %v", err)
		}
	})
}

// Who gives up in the same instant in which he is given a turn passes it on.
func TestTurnGivenToOneWhoGaveUp(t *testing.T) {
	t.Parallel()
	for range 50 { // which of the two he sees first is chance
		synctest.Test(t, func(t *testing.T) {
			q := fair.NewQueue(1, 4)
			release := hold(t, q)
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				if leave, err := q.Enter(ctx, "a"); err == nil {
					leave()
				}
			}()
			synctest.Wait()
			cancel()
			release()
			synctest.Wait()
			ctx, cancel = context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := q.Enter(ctx, "b"); err != nil {
				t.Fatalf("the turn is lost: %v", err)
			}
		})
	}
}

// No turn is lost or made up, whoever gives up when.
func TestTurnsAreConserved(t *testing.T) {
	t.Parallel()
	const running = 3
	q := fair.NewQueue(running, 20)
	var now, most atomic.Int32
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for j := range 300 {
				ctx, cancel := context.WithCancel(t.Context())
				if j%3 == 0 {
					go cancel()
				}
				leave, err := q.Enter(ctx, fmt.Sprint(i%4))
				if err == nil {
					n := now.Add(1)
					for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
					}
					now.Add(-1)
					leave()
				}
				cancel()
			}
		})
	}
	wg.Wait()
	if most.Load() > running {
		t.Errorf("%d worked at once, want at most %d", most.Load(), running)
	}
	// All turns are back: exactly `running` can be taken without waiting.
	for range running {
		if _, err := q.Enter(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
	}
	if q.Waiting() != 0 {
		t.Errorf("%d waiting in an idle queue", q.Waiting())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := q.Enter(ctx, "x"); err == nil {
		t.Error("more turns than were made")
	}
}

func BenchmarkEnterFree(b *testing.B) {
	q := fair.NewQueue(2, 10)
	b.ReportAllocs()
	for b.Loop() {
		leave, err := q.Enter(b.Context(), "source")
		if err != nil {
			b.Fatal(err)
		}
		leave()
	}
}
