package revocation

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// Compared with a table without bounds: what the bounded one confirms is true,
// and what it does not confirm although true is older than what it keeps.
func TestTableAgainstModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		keep := rapid.IntRange(1, 20).Draw(t, "keep")
		tab := table{keep: keep}
		tab.reset(Position{1, 0})
		last := make(map[Ground]int64) // the model
		ground := func() Ground {
			return Ground{Kind(rapid.IntRange(1, 3).Draw(t, "kind")), fmt.Sprint(rapid.IntRange(0, 5).Draw(t, "id"))}
		}
		for n := int64(1); n <= int64(rapid.IntRange(0, 60).Draw(t, "entries")); n++ {
			e := Entry{N: n, Grounds: rapid.SliceOfN(rapid.Custom(func(*rapid.T) Ground { return ground() }), 1, 4).Draw(t, "grounds")}
			for _, g := range e.Grounds {
				last[g] = n
			}
			tab.apply([]Entry{e})

			g := []Ground{ground(), ground()}
			asOf := Position{1, rapid.Int64Range(0, n).Draw(t, "asOf")}
			want := last[g[0]] <= asOf.N && last[g[1]] <= asOf.N
			got := tab.intact(g, asOf)
			if got && !want {
				t.Fatalf("intact(%v, %d) at %d, but revoked at %d, %d", g, asOf.N, n, last[g[0]], last[g[1]])
			}
			if !got && want && asOf.N >= tab.floor {
				t.Fatalf("intact(%v, %d) is false at %d, floor %d", g, asOf.N, n, tab.floor)
			}
			if len(tab.last) > keep || len(tab.order) > keep {
				t.Fatalf("%d grounds kept, %d marks, bound %d", len(tab.last), len(tab.order), keep)
			}
			if n <= int64(keep/4) && tab.floor != 0 {
				t.Fatalf("forgets after %d entries, although it has room", n)
			}
		}
	})
}

func BenchmarkIntact(b *testing.B) {
	tab := table{keep: 1 << 16}
	tab.reset(Position{1, 0})
	for i := range 1000 {
		tab.apply([]Entry{{N: int64(i + 1), Grounds: []Ground{{Credential, fmt.Sprint("cre_", i)}}}})
	}
	var grounds []Ground
	for i := range 8 {
		grounds = append(grounds, Ground{Kind(i), "cre_7x1kq2m9c4v8b3n6z5l0j1h2g3"})
	}
	for name, asOf := range map[string]int64{"NothingSince": 1000, "SomethingSince": 500} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !tab.intact(grounds, Position{1, asOf}) {
					b.Fatal("not intact")
				}
			}
		})
	}
}
