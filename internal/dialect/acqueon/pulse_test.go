package acqueon

import "testing"

// Each conn is of one beat. Few share one, because reports are encoded for each
// beat; many are spread, so that none is a burst.
func TestPulseSpreads(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, leastBeat, leastBeat + 1, 1000, 10_000} {
		var p pulse
		p.init()
		conns := make([]*conn, n)
		for i := range conns {
			conns[i] = &conn{}
			p.add(conns[i])
		}
		all, used, most := 0, 0, 0
		for b := range beats {
			here := 0
			for _, of := range p.of(b) {
				here += len(of)
			}
			all, most = all+here, max(most, here)
			if here > 0 {
				used++
			}
		}
		if all != n || most > max(leastBeat, n/beats+1) || used > n/leastBeat+1 {
			t.Errorf("%d conns: %d are of %d beats, %d of one", n, all, used, most)
		}
		for _, c := range conns {
			p.remove(c)
			p.remove(c) // a conn that never joined, or twice, changes nothing
		}
		if p.all != 0 {
			t.Errorf("%d of %d conns are left", p.all, n)
		}
	}
}
