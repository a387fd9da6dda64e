package throttle

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// No flood of other keys, however timed, gets a key more attempts than it
// would have in tables without end: being pushed out never helps.
func TestEvictionNeverHelps(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		small := New(start, Options{Entries: ways})   // one set: everything collides
		large := New(start, Options{Entries: 1 << 9}) // room for all keys below
		now := start
		type open struct{ small, large Turn }
		var pending []open

		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.SampledFrom([]int{0, 0, 0, 1, 7, 61, 400, 1000}).Draw(t, "pass")) * time.Second)
			k := Key{
				Tenant:   "ten_1",
				Identity: fmt.Sprint("user", rapid.IntRange(0, 12).Draw(t, "user")),
				Source:   netip.AddrFrom4([4]byte{192, 0, 2, byte(rapid.IntRange(0, 12).Draw(t, "source"))}),
			}
			for range rapid.SampledFrom([]int{1, 1, 3, 12}).Draw(t, "repeat") {
				a, v := small.Ask(now, k)
				if v.Kind != OK {
					continue
				}
				b, w := large.Ask(now, k)
				if w.Kind != OK {
					t.Fatalf("%v admitted by the full table, refused as %v by the roomy one", k, w.Kind)
				}
				switch rapid.IntRange(0, 9).Draw(t, "outcome") {
				case 0:
					// A known source is spared; small may forget that, so it
					// stays out of this comparison.
					a.Dropped(now)
					b.Dropped(now)
				case 1:
					pending = append(pending, open{a, b})
				default:
					a.Failed(now)
					b.Failed(now)
				}
			}
			if len(pending) > 0 && rapid.Bool().Draw(t, "settle") {
				pending[0].small.Failed(now)
				pending[0].large.Failed(now)
				pending = pending[1:]
			}
		}
	})
}

// An attacker who fills the table between his guesses gets no more of them.
func TestFloodDoesNotReset(t *testing.T) {
	t.Parallel()
	th := New(start, Options{Entries: 64})
	victim := key("ann", "192.0.2.1")
	if n, _ := fail(th, start, victim, 100); n != 10 {
		t.Fatalf("admitted %d, want 10", n)
	}
	for i := range 5000 { // one failure each from addresses of his own
		fail(th, start, Key{Tenant: "ten_1", Identity: fmt.Sprint("x", i), Source: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})}, 1)
	}
	if n, v := fail(th, start, victim, 100); n != 0 {
		t.Errorf("after the flood %d more guesses were admitted, want none; then %v", n, v.Kind)
	}
	if n, v := fail(th, start.Add(time.Hour*3), key("bob", "203.0.113.9"), 1); n != 1 {
		t.Errorf("a stranger, hours after the flood: %v, want ok", v.Kind)
	}
}

// In any minute at most twice the allowance gets through (a full bucket, and
// what leaks meanwhile), and the pauses leave whoever never stops few guesses
// in the long run.
func TestGuessesInTheLongRun(t *testing.T) {
	t.Parallel()
	for _, step := range []time.Duration{200 * time.Millisecond, 370 * time.Millisecond, time.Second} {
		th := New(start, Options{})
		k := key("ann", "192.0.2.1")
		var at []time.Time
		for now := start; now.Before(start.Add(3 * time.Hour)); now = now.Add(step) {
			turn, v := th.Ask(now, k)
			turn.Failed(now)
			if v.Kind == OK {
				at = append(at, now)
			}
		}
		first := 0
		for i := range at {
			for at[i].Sub(at[first]) >= time.Minute {
				first++
			}
			if n := i - first + 1; n > 20 {
				t.Fatalf("%d guesses within a minute", n)
			}
		}
		// Thirteen fit between two pauses at this pace; there are five pauses
		// in the first half hour and one each quarter of an hour after it.
		if most := 13 * (5 + 4*3); len(at) > most {
			t.Fatalf("%d guesses in three hours, one each %v, want at most %d", len(at), step, most)
		}
	}
}

func TestLimiter(t *testing.T) {
	t.Parallel()
	k := RequestKey{Scope: PerCredential, Tenant: "ten_1", ID: "cre_1"}
	burst := func(l *Limiter, now time.Time, k RequestKey, r Rate) int {
		for n := range 1000 {
			if ok, _ := l.Allow(now, k, r); !ok {
				return n
			}
		}
		return 1000
	}

	t.Run("BurstThenRate", func(t *testing.T) {
		t.Parallel()
		l := NewLimiter(start, 64)
		r := Rate{N: 10, Per: time.Second, Burst: 20}
		if n := burst(l, start, k, r); n != 20 {
			t.Errorf("burst = %d, want 20", n)
		}
		if _, wait := l.Allow(start, k, r); wait != 100*time.Millisecond {
			t.Errorf("wait = %v, want 100ms", wait)
		}
		if n := burst(l, start.Add(time.Second), k, r); n != 10 {
			t.Errorf("a second later = %d, want 10", n)
		}
		if n := burst(l, start.Add(time.Hour), k, r); n != 20 {
			t.Errorf("an hour later = %d, want 20", n)
		}
	})
	t.Run("NoLimit", func(t *testing.T) {
		t.Parallel()
		if n := burst(NewLimiter(start, 64), start, k, Rate{}); n != 1000 {
			t.Errorf("allowed %d, want all", n)
		}
	})
	t.Run("KeysApart", func(t *testing.T) {
		t.Parallel()
		l := NewLimiter(start, 64)
		r := Rate{N: 5, Per: time.Second}
		for _, o := range []RequestKey{k, {PerTenant, "ten_1", ""}, {PerRoute, "ten_1", "cre_1"}, {PerCredential, "ten_2", "cre_1"}} {
			if n := burst(l, start, o, r); n != 5 {
				t.Errorf("%v: %d, want 5", o, n)
			}
		}
	})
	t.Run("FullTableForgivesNothingAndLocksNobodyOut", func(t *testing.T) {
		t.Parallel()
		l := NewLimiter(start, ways)
		slow, fast := Rate{N: 2, Per: time.Hour}, Rate{N: 100, Per: time.Second}
		for i := range 100 {
			burst(l, start, RequestKey{PerCredential, "ten_1", fmt.Sprint("cre_", i)}, slow)
		}
		if n := burst(l, start, RequestKey{PerCredential, "ten_1", "cre_0"}, slow); n != 0 {
			t.Errorf("pushed out and back: %d more allowed, want none", n)
		}
		burst(l, start.Add(time.Second), RequestKey{PerCredential, "ten_1", "new"}, fast)
		if n := burst(l, start.Add(2*time.Second), RequestKey{PerCredential, "ten_1", "new"}, fast); n < 100 {
			t.Errorf("a fast key in a set of slow ones: %d within its second, want 100", n)
		}
	})
}
