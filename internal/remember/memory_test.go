package remember

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/secret"
)

// log is a revocation log in memory.
type log struct {
	mu   sync.Mutex
	at   revocation.Position
	last map[revocation.Ground]int64
}

func (l *log) Position() revocation.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at
}

func (l *log) Intact(gs []revocation.Ground, asOf revocation.Position) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, g := range gs {
		if l.last[g] > asOf.N {
			return false
		}
	}
	return asOf.Incarnation == l.at.Incarnation
}

func (l *log) revoke(g revocation.Ground) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil {
		l.last = make(map[revocation.Ground]int64)
	}
	l.at.N++
	l.last[g] = l.at.N
}

func ground(id string) revocation.Ground {
	return revocation.Ground{Kind: revocation.Credential, ID: id}
}

func finds(l *log, v string, g ...revocation.Ground) func(context.Context) (Belief[string], error) {
	return func(context.Context) (Belief[string], error) {
		return Belief[string]{Value: v, Grounds: g, AsOf: l.Position()}, nil
	}
}

func load(t *testing.T, m *Memory[string], k Key, find func(context.Context) (Belief[string], error)) {
	t.Helper()
	if _, _, err := m.Load(t.Context(), k, find); err != nil {
		t.Fatal(err)
	}
}

func TestMemory(t *testing.T) {
	t.Parallel()
	k := Key{1}

	t.Run("BelievedUntilItsGroundGoes", func(t *testing.T) {
		t.Parallel()
		l := &log{}
		m := New[string](Options{Log: l})
		load(t, m, k, finds(l, "ann", ground("a"), ground("b")))
		for range 3 {
			l.revoke(ground("other"))
			if v, ok := m.Get(k); !ok || v != "ann" {
				t.Fatalf("another's revocation: %q, %v", v, ok)
			}
		}
		l.revoke(ground("b"))
		if v, ok := m.Get(k); ok {
			t.Errorf("remembered after its ground went: %q", v)
		}
		load(t, m, k, finds(l, "ann again", ground("a"), ground("b")))
		if v, ok := m.Get(k); !ok || v != "ann again" {
			t.Errorf("read after the revocation: %q, %v", v, ok)
		}
	})

	t.Run("AnotherIncarnationForgets", func(t *testing.T) {
		t.Parallel()
		l := &log{}
		m := New[string](Options{Log: l})
		load(t, m, k, finds(l, "ann", ground("a")))
		l.mu.Lock()
		l.at.Incarnation++
		l.mu.Unlock()
		if _, ok := m.Get(k); ok {
			t.Error("remembered across an incarnation")
		}
	})

	t.Run("LifeAndUntil", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			l := &log{}
			m := New[string](Options{Log: l})
			load(t, m, k, finds(l, "ann"))
			load(t, m, Key{2}, func(context.Context) (Belief[string], error) {
				return Belief[string]{Value: "bob", Until: time.Now().Add(time.Minute)}, nil
			})
			load(t, m, Key{3}, func(context.Context) (Belief[string], error) {
				return Belief[string]{Value: "once", Once: true}, nil
			})
			if _, ok := m.Get(Key{3}); ok {
				t.Error("remembered although only for once")
			}
			time.Sleep(time.Minute)
			if _, ok := m.Get(Key{2}); ok {
				t.Error("remembered beyond its own end")
			}
			if _, ok := m.Get(k); !ok {
				t.Error("forgotten within its life")
			}
			time.Sleep(4 * time.Minute)
			if _, ok := m.Get(k); ok {
				t.Error("remembered beyond the life of everything")
			}
		})
	})

	t.Run("Bounded", func(t *testing.T) {
		t.Parallel()
		l := &log{}
		m := New[string](Options{Log: l, Size: 100})
		for i := range 2000 {
			load(t, m, Key{byte(i), byte(i >> 8)}, finds(l, "x"))
		}
		m.cache.CleanUp()
		if n := m.Len(); n > 100 {
			t.Errorf("%d remembered, want at most 100", n)
		}
	})
}

func TestLoad(t *testing.T) {
	t.Parallel()
	k := Key{1}

	t.Run("OncePerKey", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			l := &log{}
			m := New[string](Options{Log: l})
			var calls, sharing atomic.Int32
			for range 20 {
				go func() {
					v, shared, err := m.Load(t.Context(), k, func(context.Context) (Belief[string], error) {
						calls.Add(1)
						time.Sleep(time.Second)
						return Belief[string]{Value: "ann"}, nil
					})
					if v != "ann" || err != nil {
						t.Errorf("%q, %v", v, err)
					}
					if shared {
						sharing.Add(1)
					}
				}()
			}
			time.Sleep(2 * time.Second)
			if calls.Load() != 1 || sharing.Load() != 19 {
				t.Errorf("found out %d times, %d shared, want 1 and 19", calls.Load(), sharing.Load())
			}
		})
	})

	t.Run("FirstCallerMayLeave", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			l := &log{}
			m := New[string](Options{Log: l})
			find := func(ctx context.Context) (Belief[string], error) {
				select {
				case <-time.After(time.Second):
					return Belief[string]{Value: "ann"}, nil
				case <-ctx.Done():
					return Belief[string]{}, ctx.Err()
				}
			}
			first, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			left := make(chan error)
			go func() { _, _, err := m.Load(first, k, find); left <- err }()
			synctest.Wait()
			v, _, err := m.Load(t.Context(), k, find)
			if v != "ann" || err != nil {
				t.Errorf("second caller: %q, %v", v, err)
			}
			if err := <-left; !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("first caller: %v, want its own deadline", err)
			}
		})
	})

	t.Run("HasADeadlineOfItsOwn", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			m := New[string](Options{Log: &log{}})
			began := time.Now()
			_, _, err := m.Load(t.Context(), k, func(ctx context.Context) (Belief[string], error) {
				<-ctx.Done()
				return Belief[string]{}, ctx.Err()
			})
			if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != 10*time.Second {
				t.Errorf("%v after %v, want the deadline after 10s", err, took)
			}
		})
	})

	// A revocation that falls between taking the position and the answer: the
	// answer was read before it and must not be given.
	t.Run("OvertakenIsReadAgain", func(t *testing.T) {
		t.Parallel()
		l := &log{}
		m := New[string](Options{Log: l})
		calls := 0
		v, _, err := m.Load(t.Context(), k, func(context.Context) (Belief[string], error) {
			calls++
			b := Belief[string]{Value: fmt.Sprint("reading ", calls), Grounds: []revocation.Ground{ground("a")}, AsOf: l.Position()}
			if calls == 1 {
				l.revoke(ground("a"))
			}
			return b, nil
		})
		if v != "reading 2" || err != nil {
			t.Errorf("%q, %v, want the second reading", v, err)
		}
		if v, ok := m.Get(k); v != "reading 2" || !ok {
			t.Errorf("remembered %q, %v", v, ok)
		}
	})

	t.Run("AlwaysOvertaken", func(t *testing.T) {
		t.Parallel()
		l := &log{}
		m := New[string](Options{Log: l})
		_, _, err := m.Load(t.Context(), k, func(context.Context) (Belief[string], error) {
			b := Belief[string]{Grounds: []revocation.Ground{ground("a")}, AsOf: l.Position()}
			l.revoke(ground("a"))
			return b, nil
		})
		if !errors.Is(err, ErrOvertaken) {
			t.Errorf("%v, want ErrOvertaken", err)
		}
		if _, ok := m.Get(k); ok {
			t.Error("remembered nevertheless")
		}
	})

	t.Run("ErrorsAndPanicsAreNotRemembered", func(t *testing.T) {
		t.Parallel()
		l := &log{}
		m := New[string](Options{Log: l})
		wrong := errors.New("wrong")
		if _, _, err := m.Load(t.Context(), k, func(context.Context) (Belief[string], error) { return Belief[string]{}, wrong }); !errors.Is(err, wrong) {
			t.Errorf("%v, want the error of find", err)
		}
		if _, _, err := m.Load(t.Context(), k, func(context.Context) (Belief[string], error) { panic("marked secret") }); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("after a panic: %v, want an error that does not repeat it", err)
		}
		if _, ok := m.Get(k); ok {
			t.Error("remembered")
		}
		load(t, m, k, finds(l, "ann"))
	})
}

func TestFingerprints(t *testing.T) {
	t.Parallel()
	f := NewFingerprints()
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.StringOfN(rapid.SampledFrom([]rune{'a', 'b', 0}), 0, 3, -1)
		draw := func(name string) (p [6]string) {
			for i := range p {
				p[i] = part.Draw(t, name)
			}
			return p
		}
		p, q := draw("p"), draw("q")
		of := func(p [6]string) Key { return f.Of(secret.New(p[5]), p[0], p[1], p[2], p[3], p[4]) }
		if (of(p) == of(q)) != (p == q) {
			t.Fatalf("%q and %q", p, q)
		}
	})
	if NewFingerprints().Of(secret.New("x"), "", "", "", "", "") == f.Of(secret.New("x"), "", "", "", "", "") {
		t.Error("two makers agree: there is no key")
	}
}

func BenchmarkGet(b *testing.B) {
	l := &log{}
	m := New[string](Options{Log: l})
	f := NewFingerprints()
	jwt := secret.New(strings.Repeat("x", 656))
	k := f.Of(jwt, "ten_1", "ayyeka", "jwt", "", "")
	if _, _, err := m.Load(b.Context(), k, finds(l, "ann", ground("a"))); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := m.Get(f.Of(jwt, "ten_1", "ayyeka", "jwt", "", "")); !ok {
			b.Fatal("forgotten")
		}
	}
}
