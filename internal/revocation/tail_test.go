package revocation

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/bus/inproc"
)

func TestTail(t *testing.T) {
	t.Parallel()

	t.Run("BeginsAtTheHead", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			l := &log{batch: Batch{Incarnation: 3}}
			l.revoke(t, key("a"))
			tail := run(t, Options{Store: l})
			if tail.Fresh() == nil || tail.Intact(nil, Position{3, 1}) {
				t.Error("fresh or intact before the first read")
			}
			<-tail.Ready()
			if got, want := tail.Position(), (Position{3, 1}); got != want {
				t.Errorf("position = %v, want %v", got, want)
			}
			if err := tail.Fresh(); err != nil {
				t.Error(err)
			}
		})
	})

	t.Run("FindsEntriesByItself", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			l, c := &log{page: 2}, &conns{}
			tail := run(t, Options{Store: l, Conns: c})
			<-tail.Ready()
			asOf := tail.Position()
			for _, id := range []string{"a", "b", "c", "d", "e"} {
				l.revoke(t, key(id), user("u"+id))
			}
			time.Sleep(251 * time.Millisecond)
			synctest.Wait()
			if d := cmp.Diff([]int64{1, 2, 3, 4, 5}, c.applied); d != "" {
				t.Errorf("applied (-want +got):\n%s", d)
			}
			for _, g := range []Ground{key("a"), key("e"), user("uc")} {
				if tail.Intact([]Ground{key("x"), g}, asOf) {
					t.Errorf("%v is intact", g)
				}
			}
			if !tail.Intact([]Ground{key("x"), user("a")}, asOf) {
				t.Error("what was not revoked is not intact")
			}
			if !tail.Intact([]Ground{key("a")}, tail.Position()) {
				t.Error("read after the revocation, but not intact")
			}
		})
	})

	t.Run("NudgeReachesOtherNodesAtOnce", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			b := inproc.New(0)
			defer b.Close()
			l := &log{}
			one := run(t, Options{Store: l, Bus: b, Interval: time.Hour})
			two := run(t, Options{Store: l, Bus: b, Interval: time.Hour, Node: "two"})
			<-one.Ready()
			<-two.Ready()
			l.revoke(t, key("a"))
			one.Nudge()
			synctest.Wait()
			if one.Position().N != 1 || two.Position().N != 1 {
				t.Errorf("positions %v and %v, want 1 and 1", one.Position(), two.Position())
			}
		})
	})
}

func TestFreshness(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &log{}
		tail := run(t, Options{Store: l})
		<-tail.Ready()
		time.Sleep(time.Minute)
		if err := tail.Fresh(); err != nil {
			t.Fatalf("after a good minute: %v", err)
		}

		l.with(func(l *log) { l.broken = errDown })
		time.Sleep(29 * time.Second)
		if err := tail.Fresh(); err != nil {
			t.Errorf("within the lease: %v", err)
		}
		time.Sleep(2 * time.Second)
		if err := tail.Fresh(); !errors.Is(err, ErrNotFresh) {
			t.Errorf("past the lease: %v, want ErrNotFresh", err)
		}

		n := int64(0)
		l.with(func(l *log) { l.broken = nil })
		n = l.revoke(t, key("a"))
		time.Sleep(time.Second)
		if err := tail.Fresh(); err != nil || tail.Position().N != n {
			t.Errorf("after recovery: %v at %v, want nil at %d", err, tail.Position(), n)
		}
	})
}

// Knowledge is as old as the start of the read, not its end: an entry that was
// committed while a slow read was under way may be missing from it.
func TestSlowReadIsOldNews(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &slowLog{log: &log{}, takes: 5 * time.Second}
		tail := run(t, Options{Store: l})
		<-tail.Ready()
		if age := tail.Age(); age != 5*time.Second {
			t.Errorf("age = %v, want 5s", age)
		}
	})
}

// A read that hangs is given up, so that a later one can be good.
func TestHangingReadIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &log{}
		tail := run(t, Options{Store: l})
		<-tail.Ready()
		l.with(func(l *log) { l.hang = true })
		time.Sleep(time.Second)
		l.with(func(l *log) { l.hang = false })
		time.Sleep(15 * time.Second)
		if age := tail.Age(); age > time.Second {
			t.Errorf("age = %v after one read that hung", age)
		}
	})
}

// Another log means that everything known is worthless.
func TestAnotherLog(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*log){
		"Incarnation": func(l *log) { l.batch.Incarnation++ },
		"Backwards":   func(l *log) { l.batch.Head, l.batch.Entries = 1, l.batch.Entries[:1] },
		"Gap": func(l *log) {
			l.batch.Head = 9
			l.batch.Entries = append(l.batch.Entries, Entry{N: 9, Grounds: []Ground{key("z")}})
		},
		"Swept": func(l *log) { l.batch.Head, l.batch.Entries = 9, nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l, c := &log{batch: Batch{Incarnation: 1}}, &conns{}
				l.revoke(t, key("a"))
				l.revoke(t, key("b"))
				tail := run(t, Options{Store: l, Conns: c})
				<-tail.Ready()
				before := tail.Position()
				if !tail.Intact([]Ground{key("x")}, before) {
					t.Fatal("not intact to begin with")
				}
				l.with(change)
				time.Sleep(time.Second)
				synctest.Wait()
				if tail.Intact([]Ground{key("x")}, before) {
					t.Error("still intact")
				}
				if c.resets != 1 {
					t.Errorf("%d resets of what is open, want 1", c.resets)
				}
				if !tail.Intact([]Ground{key("x")}, tail.Position()) || tail.Fresh() != nil {
					t.Error("does not go on with the new log")
				}
			})
		})
	}
}

type slowLog struct {
	*log
	takes time.Duration
}

func TestReceipts(t *testing.T) {
	t.Parallel()

	t.Run("OneNode", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			l, c := &log{}, &conns{closed: 7, slow: 80 * time.Millisecond}
			tail := run(t, Options{Store: l, Conns: c, Interval: time.Hour})
			<-tail.Ready()
			n := l.revoke(t, key("a"))
			want := Outcome{Change: n, Nodes: []Receipt{{n, "one", 7, 80 * time.Millisecond}}}
			if d := cmp.Diff(want, tail.Await(t.Context(), n)); d != "" {
				t.Errorf("outcome (-want +got):\n%s", d)
			}
			synctest.Wait()
			again, err := tail.Outcome(t.Context(), n)
			if d := cmp.Diff(want, again); d != "" || err != nil {
				t.Errorf("asked again: %v (-want +got):\n%s", err, d)
			}
			if d := cmp.Diff(want.Nodes, l.receipts); d != "" {
				t.Errorf("stored (-want +got):\n%s", d)
			}
		})
	})

	t.Run("ChangeThatNeverWas", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			l := &log{}
			tail := run(t, Options{Store: l, Interval: time.Hour})
			<-tail.Ready()
			n := l.revoke(t, key("a")) // is news here for an hour
			for change, want := range map[int64]bool{n: true, n + 1: false, n + 900: false} {
				if known, err := tail.Known(t.Context(), change); known != want || err != nil {
					t.Errorf("change %d of %d: known %v, %v", change, n, known, err)
				}
			}
			l.with(func(l *log) { l.broken = errDown })
			if known, err := tail.Known(t.Context(), n+1); known || err == nil {
				t.Errorf("without the store: known %v, %v; want an error", known, err)
			}
		})
	})

	t.Run("OtherNodeSlowAndDead", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			l := &log{}
			tail := run(t, Options{Store: l})
			two := run(t, Options{Store: l, Node: "two", Conns: &conns{closed: 3, slow: 3 * time.Second}})
			<-tail.Ready()
			<-two.Ready()
			synctest.Wait()
			l.Heartbeat(t.Context(), "dead", Position{}, nil)
			n := l.revoke(t, key("a"))
			began := time.Now()
			out := tail.Await(t.Context(), n)
			if took := time.Since(began); took != 2*time.Second {
				t.Errorf("waited %v, want 2s", took)
			}
			if d := cmp.Diff([]string{"dead", "two"}, out.Unreached); d != "" {
				t.Errorf("unreached (-want +got):\n%s", d)
			}
			time.Sleep(2 * time.Second)
			out, err := tail.Outcome(t.Context(), n)
			if err != nil || len(out.Nodes) != 2 || out.Nodes[1].SocketsClosed != 3 {
				t.Errorf("later: %+v, %v", out, err)
			}
			time.Sleep(time.Minute)
			if out, _ = tail.Outcome(t.Context(), n); len(out.Unreached) != 0 {
				t.Errorf("a node whose lease is over is still waited for: %v", out.Unreached)
			}
		})
	})

	t.Run("StoreDownStillReportsOwn", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			l := &log{}
			tail := run(t, Options{Store: l})
			<-tail.Ready()
			n := l.revoke(t, key("a"))
			time.Sleep(time.Second)
			l.with(func(l *log) { l.broken = errDown })
			out := tail.Await(t.Context(), n)
			if len(out.Nodes) != 1 || out.Nodes[0].Node != "one" {
				t.Errorf("outcome %+v, want this node's own report", out)
			}
		})
	})

	t.Run("ReceiptsSurviveAStoreThatWasDown", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			l, c := &log{}, &conns{slow: time.Second}
			tail := run(t, Options{Store: l, Conns: c, Node: "two"})
			<-tail.Ready()
			n := l.revoke(t, key("a"))
			time.Sleep(500 * time.Millisecond)
			l.with(func(l *log) { l.broken = errDown })
			time.Sleep(5 * time.Second)
			l.with(func(l *log) { l.broken = nil })
			time.Sleep(5 * time.Second)
			synctest.Wait()
			if len(l.receipts) != 1 || l.receipts[0].Change != n {
				t.Errorf("stored receipts %v, want one for %d", l.receipts, n)
			}
		})
	})

	t.Run("ChangeFromBeforeThisProcess", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			l := &log{}
			n := l.revoke(t, key("a"))
			tail := run(t, Options{Store: l})
			<-tail.Ready()
			out, err := tail.Outcome(t.Context(), n)
			want := Outcome{Change: n, Nodes: []Receipt{{Change: n, Node: "one"}}}
			if d := cmp.Diff(want, out); d != "" || err != nil {
				t.Errorf("outcome %v (-want +got):\n%s", err, d)
			}
		})
	})
}
