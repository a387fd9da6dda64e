package live

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/revocation"
)

// Conns are opened, closed by themselves and revoked at the same time. After
// the receipt of a revocation no conn that rests on it passes anything, be it
// that the index found it or that the check after opening did.
func TestOpenAgainstRevoke(t *testing.T) {
	t.Parallel()
	x, k := index(t)
	var n atomic.Int64
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(g)))
			for range 500 {
				id := fmt.Sprint(random.IntN(20))
				who := &identity.Identity{Grounds: []revocation.Ground{key(id)}, AsOf: revocation.Position{N: n.Load()}}
				h, _ := open(x, Conn{Identity: who})
				if !k.Intact(who.Grounds, who.AsOf) {
					h.Close()
					continue
				}
				if random.IntN(3) == 0 {
					h.Close()
				}
			}
		})
	}
	all.Go(func() {
		random := rand.New(rand.NewPCG(2, 2))
		for range 500 {
			id := fmt.Sprint(random.IntN(20))
			e := revocation.Entry{N: n.Load() + 1, Effect: revocation.End, Grounds: []revocation.Ground{key(id)}}
			k.note(e)
			n.Store(e.N)
			apply(x, e)
			for _, h := range x.all() {
				i := h.Identity()
				if i.Grounds[0] == e.Grounds[0] && i.AsOf.N < e.N && h.Ended() == 0 && k.Intact(i.Grounds, i.AsOf) {
					t.Errorf("%s lives on after the receipt of %d", id, e.N)
				}
			}
		}
	})
	all.Wait()
}

func TestSet(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		elements := make([]int, 5)
		var s set[int]
		model := make(map[*int]bool)
		for range rapid.IntRange(0, 30).Draw(t, "steps") {
			e := &elements[rapid.IntRange(0, 4).Draw(t, "element")]
			if rapid.Bool().Draw(t, "add") {
				s.add(e)
				model[e] = true
			} else {
				s.remove(e)
				delete(model, e)
			}
			n := 0
			for x := range s.all() {
				if n++; !model[x] {
					t.Fatal("holds what was removed")
				}
			}
			if n != len(model) || s.empty() != (n == 0) {
				t.Fatalf("%d elements, empty %v, want %d", n, s.empty(), len(model))
			}
		}
	})
}

func grounds(i int) []revocation.Ground {
	return []revocation.Ground{
		{Kind: revocation.Tenant, ID: "ten_1"},
		{Kind: revocation.Policy, ID: "ten_1"},
		{Kind: revocation.Method, ID: "ten_1/gateway/api_key"},
		{Kind: revocation.Principal, ID: fmt.Sprint("cli_7x1kq2m9c4v8b3n6z5l0j1h2", i)},
		{Kind: revocation.Credential, ID: fmt.Sprint("cre_7x1kq2m9c4v8b3n6z5l0j1h2", i)},
		{Kind: revocation.Secret, ID: fmt.Sprint("sec_7x1kq2m9c4v8b3n6z5l0j1h2", i)},
		{Kind: revocation.Role, ID: fmt.Sprint("cli_7x1kq2m9c4v8b3n6z5l0j1h2", i, "/operator")},
	}
}

// Each conn of a different key, identities included: what an idle socket costs
// in here must stay small beside the socket itself.
func TestMemoryPerConn(t *testing.T) {
	const n = 10_000
	x := New(Options{})
	hs := make([]*Handle, n)
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for i := range hs {
		hs[i] = x.Open(Conn{Identity: &identity.Identity{Grounds: grounds(i)}, End: func(Cause) {}})
	}
	per := (heap() - before) / n
	t.Logf("%d bytes per conn", per)
	if per > 3<<10 {
		t.Errorf("%d bytes per conn, want at most 3 KiB", per)
	}
	runtime.KeepAlive(hs)
}

func BenchmarkOpenClose(b *testing.B) {
	x := New(Options{})
	who := &identity.Identity{Grounds: grounds(1)}
	b.ReportAllocs()
	for b.Loop() {
		x.Open(Conn{ID: "con_1", Identity: who}).Close()
	}
}

func BenchmarkPass(b *testing.B) {
	x := New(Options{})
	x.Attach(&knowledge{})
	x.Attach(always{})
	h := x.Open(Conn{Identity: who(key("a"))})
	b.ReportAllocs()
	for b.Loop() {
		if err := h.Pass(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

type always struct{ *knowledge }

func (always) Age() (d time.Duration)   { return 0 }
func (always) Lease() (d time.Duration) { return 1 }

// From the revocation to the last of 10,000 conns closed.
func BenchmarkRevoke10000(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		x, who := New(Options{}), who(grounds(1)...)
		for range 10_000 {
			var h *Handle
			ready := make(chan struct{})
			h = x.Open(Conn{Identity: who, End: func(Cause) { go func() { <-ready; h.Close() }() }})
			close(ready)
		}
		b.StartTimer()
		if n := apply(x, revocation.Entry{N: 1, Effect: revocation.End, Grounds: who.Grounds[4:5]}); n != 10_000 {
			b.Fatal(n)
		}
	}
}
