package app

import (
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCalm(t *testing.T) {
	t.Parallel()
	var allocated uint64
	releases := 0
	c := &calm{heap: func() (uint64, uint64) { return allocated, 0 }, release: func() { releases++ }}
	for i, step := range []struct {
		more     uint64
		releases int
	}{
		{spell, 0}, // busy
		{spell, 0},
		{quiet, 1}, // over
		{quiet, 1}, // once is enough
		{quiet, 1},
		{spell - 3*quiet, 1}, // not worth it yet, and not over
		{quiet, 2},
	} {
		allocated += step.more
		if c.look(); releases != step.releases {
			t.Errorf("step %d: released %d times, want %d", i, releases, step.releases)
		}
	}
}

// TestCalmReads makes sure that the runtime still has the metric by that name.
func TestCalmReads(t *testing.T) {
	t.Parallel()
	c := newCalm()
	before, _ := c.heap()
	room = make([]byte, 1<<20)
	after, _ := c.heap()
	if got := after - before; got < 1<<20 {
		t.Errorf("allocating a mebibyte counts as %d bytes", got)
	}
	runtime.GC()
	if _, live := c.heap(); live == 0 {
		t.Error("nothing lives")
	}
}

var room []byte

func TestGrowth(t *testing.T) {
	t.Parallel()
	for live, want := range map[uint64]int{0: 400, 10 << 20: 400, 50 << 20: 250, 100 << 20: 100, 10 << 30: 100} {
		if got := growth(live); got != want {
			t.Errorf("growth(%d MiB) = %d, want %d", live>>20, got, want)
		}
	}
	var set []int
	live := uint64(1 << 20)
	c := &calm{heap: func() (uint64, uint64) { return 0, live }, percent: func(p int) { set = append(set, p) }}
	for _, live = range []uint64{1 << 20, 2 << 20, 50 << 20, 51 << 20, 1 << 30} {
		c.look()
	}
	if diff := cmp.Diff([]int{400, 250, 100}, set); diff != "" {
		t.Errorf("set (-want +got):\n%s", diff)
	}
}
