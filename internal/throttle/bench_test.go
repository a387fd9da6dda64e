package throttle

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func benchKeys() []Key {
	keys := make([]Key, 4096)
	for i := range keys {
		keys[i] = Key{"ten_1", fmt.Sprintf("user%d@example.org", i), netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})}
	}
	return keys
}

// What every remembered check pays.
func BenchmarkLook(b *testing.B) {
	th, keys := New(start, Options{}), benchKeys()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		th.Look(start, keys[i%len(keys)])
	}
}

func BenchmarkAskSucceeded(b *testing.B) {
	th, keys := New(start, Options{}), benchKeys()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		turn, _ := th.Ask(start, keys[i%len(keys)])
		turn.Succeeded(start)
	}
}

func BenchmarkLimiter(b *testing.B) {
	l := NewLimiter(start, 1<<15)
	k := RequestKey{PerCredential, "ten_1", "cre_1"}
	r := Rate{N: 1000, Per: time.Second}
	now := start
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Millisecond)
		l.Allow(now, k, r)
	}
}

func TestHotPathAllocatesNothing(t *testing.T) {
	th, l := New(start, Options{}), NewLimiter(start, 64)
	k, r := key("ann@example.org", "2001:db8::1"), RequestKey{PerCredential, "ten_1", "cre_1"}
	got := testing.AllocsPerRun(200, func() {
		th.Look(start, k)
		turn, _ := th.Ask(start, k)
		turn.Succeeded(start)
		l.Allow(start, r, Rate{N: 1, Per: time.Nanosecond})
	})
	if got != 0 {
		t.Errorf("%v allocations, want none", got)
	}
}
