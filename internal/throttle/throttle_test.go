package throttle

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func key(identity, source string) Key {
	return Key{Tenant: "ten_1", Identity: identity, Source: netip.MustParseAddr(source)}
}

// fail asks and fails until refused, and returns how often it was admitted and
// what the refusal was.
func fail(t *Throttle, now time.Time, k Key, most int) (int, Verdict) {
	for n := range most {
		turn, v := t.Ask(now, k)
		if v.Kind != OK {
			return n, v
		}
		turn.Failed(now)
	}
	return most, Verdict{}
}

func TestPair(t *testing.T) {
	t.Parallel()
	k := key("ann", "192.0.2.1")

	t.Run("TenFailuresThenWrong", func(t *testing.T) {
		t.Parallel()
		th := New(start, Options{})
		if n, v := fail(th, start, k, 100); n != 10 || v.Kind != Wrong {
			t.Errorf("admitted %d, then %v, want 10, then wrong", n, v.Kind)
		}
		if v := th.Look(start, k); v.Kind != Wrong {
			t.Errorf("look = %v, want wrong", v.Kind)
		}
	})
	t.Run("OthersGoOn", func(t *testing.T) {
		t.Parallel()
		th := New(start, Options{})
		fail(th, start, k, 100)
		for _, o := range []Key{key("ann", "192.0.2.2"), key("bob", "192.0.2.1"), {Tenant: "ten_2", Identity: "ann", Source: k.Source}} {
			if turn, v := th.Ask(start, o); v.Kind != OK {
				t.Errorf("%v: %v, want ok", o, v.Kind)
			} else {
				turn.Dropped(start)
			}
		}
	})
	t.Run("SuccessClears", func(t *testing.T) {
		t.Parallel()
		th := New(start, Options{})
		for range 5 {
			fail(th, start, k, 9)
			turn, v := th.Ask(start, k)
			if v.Kind != OK {
				t.Fatalf("tenth attempt: %v, want ok", v.Kind)
			}
			turn.Succeeded(start)
		}
	})
	t.Run("SpreadOutNeverPauses", func(t *testing.T) {
		t.Parallel()
		th := New(start, Options{Identity: Limit{Failures: 1e6, Per: time.Minute}})
		for i := range 300 {
			turn, v := th.Ask(start.Add(time.Duration(i)*6*time.Second), k)
			if v.Kind != OK {
				t.Fatalf("attempt %d: %v, want ok", i, v.Kind)
			}
			turn.Failed(start.Add(time.Duration(i) * 6 * time.Second))
		}
	})
}

func TestPausesGrow(t *testing.T) {
	t.Parallel()
	th := New(start, Options{Identity: Limit{Failures: 1e6, Per: time.Minute}})
	k := key("ann", "192.0.2.1")
	now := start
	var pauses []time.Duration
	for range 6 {
		fail(th, now, k, 100)
		began := now
		for th.Look(now, k).Kind != OK {
			now = now.Add(time.Second)
		}
		pauses = append(pauses, now.Sub(began))
	}
	minutes := func(n int) time.Duration { return time.Duration(n) * time.Minute }
	want := []time.Duration{minutes(1), minutes(2), minutes(4), minutes(8), minutes(15), minutes(15)}
	if d := cmp.Diff(want, pauses); d != "" {
		t.Errorf("pauses (-want +got):\n%s", d)
	}

	now = now.Add(6 * 30 * time.Minute) // quiet for long enough to be forgiven
	fail(th, now, k, 100)
	if v := th.Look(now.Add(time.Minute), k); v.Kind != OK {
		t.Errorf("a minute after the first failures of a new day: %v, want ok", v.Kind)
	}
}

func TestSource(t *testing.T) {
	t.Parallel()
	spray := func(th *Throttle, source func(i int) string) (int, Verdict) {
		for i := range 1000 {
			if n, v := fail(th, start, key(fmt.Sprint("user", i), source(i)), 1); n == 0 {
				return i, v
			}
		}
		return 1000, Verdict{}
	}

	t.Run("SixtyThenLater", func(t *testing.T) {
		t.Parallel()
		n, v := spray(New(start, Options{}), func(int) string { return "192.0.2.1" })
		if want := (Verdict{Later, time.Minute}); n != 60 || v != want {
			t.Errorf("admitted %d, then %v, want 60, then %v", n, v, want)
		}
	})
	t.Run("IPv6Is64", func(t *testing.T) {
		t.Parallel()
		n, v := spray(New(start, Options{}), func(i int) string { return fmt.Sprintf("2001:db8:0:1::%x", i) })
		if n != 60 || v.Kind != Later {
			t.Errorf("admitted %d, then %v, want 60, then later", n, v.Kind)
		}
		n, v = spray(New(start, Options{}), func(i int) string { return fmt.Sprintf("2001:db8:0:%x::1", i) })
		if n != 1000 {
			t.Errorf("different /64: admitted %d, then %v, want all", n, v.Kind)
		}
	})
	t.Run("MappedIPv4IsIPv4", func(t *testing.T) {
		t.Parallel()
		n, v := spray(New(start, Options{}), func(i int) string {
			return []string{"192.0.2.1", "::ffff:192.0.2.1"}[i%2]
		})
		if n != 60 || v.Kind != Later {
			t.Errorf("admitted %d, then %v, want 60, then later", n, v.Kind)
		}
	})
	t.Run("OwnSuccessPaysForNothing", func(t *testing.T) {
		t.Parallel()
		th := New(start, Options{})
		n := 0
		for i := range 1000 {
			turn, v := th.Ask(start, key("mallory", "192.0.2.1"))
			if v.Kind != OK {
				break
			}
			turn.Succeeded(start)
			k, _ := fail(th, start, key(fmt.Sprint("user", i), "192.0.2.1"), 1)
			n += k
		}
		if n != 60 {
			t.Errorf("%d failures admitted, want 60", n)
		}
	})
	t.Run("HammeringAPausedNameCounts", func(t *testing.T) {
		t.Parallel()
		th := New(start, Options{})
		k := key("ann", "192.0.2.1")
		for i := range 60 {
			if turn, v := th.Ask(start, k); v.Kind == Later {
				t.Fatalf("attempt %d: later, want ok or wrong", i)
			} else {
				turn.Failed(start)
			}
		}
		if _, v := th.Ask(start, k); v.Kind != Later {
			t.Errorf("attempt 61: %v, want later", v.Kind)
		}
		if v := th.Look(start.Add(time.Minute), k); v.Kind != OK {
			t.Errorf("after the first pause: %v, want ok: refused attempts must not prolong it", v.Kind)
		}
	})
}

func TestIdentityAlone(t *testing.T) {
	t.Parallel()
	th := New(start, Options{})
	home := key("ann", "192.0.2.200")
	turn, _ := th.Ask(start, home)
	turn.Succeeded(start)

	n := 0
	for i := range 1000 {
		k, v := fail(th, start, key("ann", fmt.Sprintf("198.51.%d.%d", 100+i/250, i%250)), 1)
		if n += k; k == 0 && v.Kind != Wrong {
			t.Fatalf("refusal %d is %v, want wrong", i, v.Kind)
		}
	}
	if n != 100 {
		t.Errorf("%d strangers admitted, want 100", n)
	}
	if v := th.Look(start, home); v.Kind != OK {
		t.Errorf("a source known for this identity: look = %v, want ok", v.Kind)
	}
	turn, v := th.Ask(start, home)
	if v.Kind != OK {
		t.Errorf("a source known for this identity: ask = %v, want ok", v.Kind)
	}
	turn.Dropped(start)
	if v := th.Look(start, key("ann", "192.0.2.201")); v.Kind != Wrong {
		t.Errorf("a source that is not known: %v, want wrong", v.Kind)
	}
	if later := start.Add(31 * 24 * time.Hour); th.known.has(turn.pair, th.at(later)) {
		t.Error("a success of 31 days ago still counts")
	}
}

// Guesses sent all at once must not be admitted before the first has failed.
func TestParallel(t *testing.T) {
	t.Parallel()

	t.Run("Pair", func(t *testing.T) {
		t.Parallel()
		th := New(start, Options{})
		var turns []Turn
		for range 50 {
			if turn, v := th.Ask(start, key("ann", "192.0.2.1")); v.Kind == OK {
				turns = append(turns, turn)
			}
		}
		if len(turns) != 10 {
			t.Fatalf("%d admitted at once, want 10", len(turns))
		}
		for _, turn := range turns {
			turn.Dropped(start)
		}
		if n, _ := fail(th, start, key("ann", "192.0.2.1"), 50); n != 10 {
			t.Errorf("%d admitted after all were dropped, want 10", n)
		}
	})
	t.Run("SourceSharedByMany", func(t *testing.T) {
		t.Parallel()
		th := New(start, Options{})
		admitted := 0
		for i := range 1000 {
			_, v := th.Ask(start, key(fmt.Sprint("user", i), "192.0.2.1"))
			if v.Kind == OK {
				admitted++
			} else if want := (Verdict{Later, time.Second}); v != want {
				t.Fatalf("refusal %v, want %v", v, want)
			}
		}
		if admitted != 60+256 {
			t.Errorf("%d admitted at once, want 316", admitted)
		}
	})
	t.Run("RacingGoroutines", func(t *testing.T) {
		t.Parallel()
		th := New(start, Options{})
		var wg sync.WaitGroup
		var mu sync.Mutex
		failures := 0
		for range 64 {
			wg.Go(func() {
				for range 20 {
					turn, v := th.Ask(start, key("ann", "192.0.2.1"))
					if v.Kind == OK {
						mu.Lock()
						failures++
						mu.Unlock()
					}
					turn.Failed(start)
				}
			})
		}
		wg.Wait()
		if failures != 10 {
			t.Errorf("%d guesses were looked at, want 10", failures)
		}
	})
}

func TestLaterNamesTheWait(t *testing.T) {
	t.Parallel()
	th := New(start, Options{})
	for i := range 60 {
		fail(th, start, key(fmt.Sprint("user", i), "192.0.2.1"), 1)
	}
	k := key("ann", "192.0.2.1")
	_, v := th.Ask(start.Add(20*time.Second), k)
	if want := (Verdict{Later, 40 * time.Second}); v != want {
		t.Errorf("20 s into the pause: %v, want %v", v, want)
	}
	turn, v := th.Ask(start.Add(20*time.Second).Add(v.RetryAfter), k)
	if v.Kind != OK {
		t.Errorf("after the named wait: %v, want ok", v.Kind)
	}
	turn.Dropped(start)
}
