package adminapi

import "testing"

func TestMayConnect(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		peer uint32
		own  int
		want bool
	}{
		{0, 1000, true}, {1000, 1000, true}, {1001, 1000, false}, {1001, 0, false}, {0, 0, true},
		{0xffffffff, -1, false}, // a system without user ids
	} {
		if got := mayConnect(c.peer, c.own); got != c.want {
			t.Errorf("peer %d of server %d: %v", c.peer, c.own, got)
		}
	}
}
