package app

import "testing"

func TestCalm(t *testing.T) {
	t.Parallel()
	var allocated uint64
	releases := 0
	c := &calm{allocated: func() uint64 { return allocated }, release: func() { releases++ }}
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
	before := c.allocated()
	room = make([]byte, 1<<20)
	if got := c.allocated() - before; got < 1<<20 {
		t.Errorf("allocating a mebibyte counts as %d bytes", got)
	}
}

var room []byte
