package fair_test

import (
	"net/netip"
	"testing"

	"gatehouse.dev/internal/fair"
)

func TestPlaces(t *testing.T) {
	t.Parallel()
	p := fair.NewPlaces(8)
	take := func(source string, want int) {
		t.Helper()
		got := 0
		for range 9 {
			if p.Take(source) {
				got++
			}
		}
		if got != want {
			t.Errorf("%s got %d places, want %d", source, got, want)
		}
	}
	take("greedy", 6)
	take("modest", 2)
	take("late", 0)
	p.Leave("modest")
	take("greedy", 0)
	take("late", 1)
	for range 6 {
		p.Leave("greedy")
	}
	take("late", 5) // with the one before
}

func TestSource(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		"192.0.2.1":            "192.0.2.1",
		"::ffff:192.0.2.1":     "192.0.2.1",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"2001:db8:1:2::9":      "2001:db8:1:2::/64",
		"2001:db8:1:3::9":      "2001:db8:1:3::/64",
		"fe80::1%eth0":         "fe80::/64",
	} {
		if got := fair.Source(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s is %s, want %s", addr, got, want)
		}
	}
}
