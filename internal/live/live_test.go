package live

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/revocation"
)

// knowledge is a log that has been read up to at.
type knowledge struct {
	mu   sync.Mutex
	good time.Time
	last map[revocation.Ground]int64
}

func (k *knowledge) Intact(gs []revocation.Ground, asOf revocation.Position) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, g := range gs {
		if k.last[g] > asOf.N {
			return false
		}
	}
	return true
}

func (k *knowledge) Age() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	return time.Since(k.good)
}

func (k *knowledge) Lease() time.Duration { return 30 * time.Second }

func (k *knowledge) note(e revocation.Entry) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.last == nil {
		k.last = make(map[revocation.Ground]int64)
	}
	for _, g := range e.Grounds {
		k.last[g] = e.N
	}
}

func index(t *testing.T) (*Index, *knowledge) {
	t.Helper()
	x, k := New(Options{}), &knowledge{good: time.Now().Add(24 * time.Hour)}
	x.Attach(k)
	return x, k
}

func key(id string) revocation.Ground  { return revocation.Ground{Kind: revocation.Credential, ID: id} }
func user(id string) revocation.Ground { return revocation.Ground{Kind: revocation.Principal, ID: id} }
func role(id string) revocation.Ground { return revocation.Ground{Kind: revocation.Role, ID: id} }

func who(g ...revocation.Ground) *identity.Identity { return &identity.Identity{Grounds: g} }

// open opens a conn that closes as soon as it is ended, and returns where its
// cause arrives.
func open(x *Index, c Conn) (*Handle, <-chan Cause) {
	ended := make(chan Cause, 2)
	handle := make(chan *Handle, 1)
	c.End = func(cause Cause) {
		ended <- cause
		go func() { (<-handle).Close() }()
	}
	h := x.Open(c)
	handle <- h
	return h, ended
}

func apply(x *Index, e revocation.Entry) int {
	closed := make(chan int, 1)
	x.Apply(e, func(n int) { closed <- n })
	return <-closed
}

func cause(t *testing.T, c <-chan Cause) Cause {
	t.Helper()
	select {
	case got := <-c:
		return got
	default:
		return Cause{}
	}
}

func TestApplyEndsExactlyWhatRestedOnIt(t *testing.T) {
	t.Parallel()
	x, _ := index(t)
	shared := who(key("a"), user("ann"))
	var mine, others []<-chan Cause
	for i := range 100 {
		_, a := open(x, Conn{Identity: shared})
		_, b := open(x, Conn{Identity: who(key("a"), user(fmt.Sprint(i)))})
		_, c := open(x, Conn{Identity: who(key(fmt.Sprint("other", i)), user("ann"))})
		mine, others = append(mine, a, b), append(others, c)
	}
	if n := apply(x, revocation.Entry{N: 7, Effect: revocation.End, Grounds: []revocation.Ground{key("a"), key("nobody")}}); n != 200 {
		t.Errorf("%d closed, want 200", n)
	}
	for _, c := range mine {
		if got, want := cause(t, c), (Cause{Revoked, 7}); got != want {
			t.Fatalf("cause %v, want %v", got, want)
		}
	}
	for _, c := range others {
		if got := cause(t, c); got != (Cause{}) {
			t.Fatalf("ended by another's revocation: %v", got)
		}
	}
	if x.Len() != 100 {
		t.Errorf("%d left, want 100", x.Len())
	}
	if n := apply(x, revocation.Entry{N: 8, Effect: revocation.End, Grounds: []revocation.Ground{key("a")}}); n != 0 {
		t.Errorf("%d closed the second time, want 0", n)
	}
	if n := apply(x, revocation.Entry{N: 9, Effect: revocation.End, Grounds: []revocation.Ground{user("ann")}}); n != 100 {
		t.Errorf("%d closed by the user, want 100", n)
	}
	if len(x.parties) != 0 || len(x.grounds) != 0 || len(x.conns) != 0 {
		t.Errorf("left behind: %d parties, %d grounds, %d conns", len(x.parties), len(x.grounds), len(x.conns))
	}
}

// What was read from the store with the revocation in mind does not rest on
// what was taken away: a token issued after all earlier ones were ended.
func TestLaterIdentityStays(t *testing.T) {
	t.Parallel()
	x, _ := index(t)
	tokens := revocation.Ground{Kind: revocation.TokensOf, ID: "cli_1"}
	_, old := open(x, Conn{Identity: &identity.Identity{Grounds: []revocation.Ground{tokens}, AsOf: revocation.Position{N: 4}}})
	_, fresh := open(x, Conn{Identity: &identity.Identity{Grounds: []revocation.Ground{tokens}, AsOf: revocation.Position{N: 5}}})
	if n := apply(x, revocation.Entry{N: 5, Effect: revocation.End, Grounds: []revocation.Ground{tokens}}); n != 1 {
		t.Errorf("%d closed, want 1", n)
	}
	if cause(t, old).Code != Revoked || cause(t, fresh).Code != 0 {
		t.Error("ended the wrong one")
	}
}

func TestReceiptWaitsForTheLastButNotForever(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x, _ := index(t)
		i := who(key("a"))
		for _, takes := range []time.Duration{0, 100 * time.Millisecond, time.Second, time.Hour} {
			var h *Handle
			h = x.Open(Conn{Identity: i, End: func(Cause) { time.AfterFunc(takes, func() { h.Close() }) }})
		}
		began := time.Now()
		n := apply(x, revocation.Entry{N: 1, Effect: revocation.End, Grounds: []revocation.Ground{key("a")}})
		if took := time.Since(began); n != 3 || took != 1500*time.Millisecond {
			t.Errorf("%d closed after %v, want 3 after 1.5s", n, took)
		}
		for _, h := range x.all() {
			if err := h.Pass(t.Context()); !errors.Is(err, ErrEnded) {
				t.Errorf("a conn whose end is under way: %v, want ErrEnded", err)
			}
		}
		time.Sleep(2 * time.Hour)
	})
}

func TestOneConnAndOneRoute(t *testing.T) {
	t.Parallel()
	x, _ := index(t)
	i := who(key("a"))
	h, one := open(x, Conn{Identity: i})
	_, two := open(x, Conn{Identity: i, Route: "r"})
	_, three := open(x, Conn{Identity: i})
	if n := apply(x, revocation.Entry{N: 3, Effect: revocation.End, Grounds: []revocation.Ground{{Kind: revocation.Conn, ID: h.ID()}}}); n != 1 {
		t.Errorf("%d closed, want 1", n)
	}
	if got, want := cause(t, one), (Cause{Closed, 3}); got != want {
		t.Errorf("cause %v, want %v", got, want)
	}
	if n := apply(x, revocation.Entry{N: 4, Effect: revocation.End, Grounds: []revocation.Ground{{Kind: revocation.Route, ID: "r"}}}); n != 1 {
		t.Errorf("%d closed, want 1", n)
	}
	if cause(t, two).Code != Revoked || cause(t, three).Code != 0 {
		t.Error("ended the wrong one")
	}
	last := x.List(Filter{})[0].ID
	if !x.CloseConn(last) || x.CloseConn("con_unknown") {
		t.Error("CloseConn found what is not there, or did not find what is")
	}
	if got, want := cause(t, three), (Cause{Closed, 0}); got != want {
		t.Errorf("cause %v, want %v", got, want)
	}
}

type passing struct{ error }

func (passing) Temporary() bool { return true }

func TestRecheck(t *testing.T) {
	t.Parallel()
	recheck := func(n int64) revocation.Entry {
		return revocation.Entry{N: n, Effect: revocation.Recheck, Grounds: []revocation.Ground{role("ann/operator")}}
	}
	before := who(key("a"), role("ann/operator"))
	after := &identity.Identity{Grounds: []revocation.Ground{key("a")}, AsOf: revocation.Position{N: 5}}

	t.Run("EndsOnlyWhatIsNotAllowed", func(t *testing.T) {
		t.Parallel()
		x, k := index(t)
		stays, a := open(x, Conn{Identity: before, Recheck: func(context.Context) (*identity.Identity, error) { return after, nil }})
		_, b := open(x, Conn{Identity: before, Recheck: func(context.Context) (*identity.Identity, error) { return nil, errors.New("denied") }})
		_, c := open(x, Conn{Identity: before})
		k.note(recheck(5))
		if n := apply(x, recheck(5)); n != 2 {
			t.Errorf("%d closed, want 2", n)
		}
		if cause(t, a).Code != 0 || cause(t, b) != (Cause{Revoked, 5}) || cause(t, c) != (Cause{Revoked, 5}) {
			t.Error("ended the wrong ones")
		}
		if stays.Identity() != after {
			t.Error("goes on with the old identity")
		}
		if n := apply(x, revocation.Entry{N: 6, Effect: revocation.End, Grounds: []revocation.Ground{role("ann/operator")}}); n != 0 {
			t.Error("still rests on the role that it does not have any more")
		}
		if n := apply(x, revocation.Entry{N: 7, Effect: revocation.End, Grounds: []revocation.Ground{key("a")}}); n != 1 {
			t.Error("does not rest on its new identity")
		}
	})

	t.Run("TriesAgainThenGivesUp", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			x, _ := index(t)
			tries := 0
			_, a := open(x, Conn{Identity: before, Recheck: func(context.Context) (*identity.Identity, error) {
				if tries++; tries < 3 {
					return nil, passing{errors.New("store is busy")}
				}
				return after, nil
			}})
			_, b := open(x, Conn{Identity: before, Recheck: func(context.Context) (*identity.Identity, error) {
				return nil, passing{errors.New("store is down")}
			}})
			if n := apply(x, recheck(5)); n != 1 {
				t.Errorf("%d closed, want 1", n)
			}
			if cause(t, a).Code != 0 || cause(t, b) != (Cause{NotFresh, 5}) {
				t.Error("ended the wrong one, or with another cause")
			}
		})
	})

	// A key is revoked while the conn is being asked about a role: the answer,
	// read before, must not bring it through.
	t.Run("OvertakenByARevocation", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			x, k := index(t)
			asked := 0
			_, ended := open(x, Conn{Identity: who(role("ann/operator")), Recheck: func(context.Context) (*identity.Identity, error) {
				asked++
				k.note(revocation.Entry{N: 6, Grounds: []revocation.Ground{key("a")}})
				if asked > 1 {
					return nil, errors.New("revoked")
				}
				return after, nil
			}})
			if n := apply(x, recheck(5)); n != 1 || cause(t, ended).Code != Revoked || asked != 2 {
				t.Errorf("%d closed, asked %d times, want 1 and 2", n, asked)
			}
		})
	})
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x, _ := index(t)
		at := func(d time.Duration) *identity.Identity {
			return &identity.Identity{Expires: time.Now().Add(d), Grounds: []revocation.Ground{key("a")}}
		}
		_, soon := open(x, Conn{Identity: at(time.Minute)})
		longer, late := open(x, Conn{Identity: at(time.Minute)})
		x.Replace(longer, at(time.Hour))
		time.Sleep(89 * time.Second)
		synctest.Wait()
		if got := cause(t, soon); got.Code != 0 {
			t.Errorf("ended before the leeway was over: %v", got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got, want := cause(t, soon), (Cause{Code: Expired}); got != want {
			t.Errorf("cause %v, want %v", got, want)
		}
		if got := cause(t, late); got.Code != 0 {
			t.Errorf("ended at the expiry of an earlier identity: %v", got)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := cause(t, late); got.Code != Expired {
			t.Errorf("not ended at the expiry of its later identity: %v", got)
		}
	})
}

func TestNotFresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x, k := index(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go x.Run(ctx)
		var ended atomic.Int32
		var h *Handle
		for range 1000 {
			var own *Handle
			own = x.Open(Conn{Identity: who(key("a")), End: func(c Cause) {
				if c.Code == NotFresh {
					ended.Add(1)
				}
				go own.Close()
			}})
			h = own
		}
		k.mu.Lock()
		k.good = time.Now()
		k.mu.Unlock()
		time.Sleep(29 * time.Second)
		if err := h.Pass(t.Context()); err != nil {
			t.Errorf("within the lease: %v", err)
		}

		time.Sleep(2 * time.Second)
		short, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if err := h.Pass(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("past the lease: %v, want to wait", err)
		}
		passed := make(chan error)
		go func() { passed <- h.Pass(t.Context()) }()
		k.mu.Lock()
		k.good = time.Now()
		k.mu.Unlock()
		if err := <-passed; err != nil {
			t.Errorf("after recovery: %v, want to pass", err)
		}

		time.Sleep(59 * time.Second)
		if n := ended.Load(); n != 0 {
			t.Errorf("%d ended within the grace", n)
		}
		time.Sleep(6 * time.Second)
		if n := ended.Load(); n < 300 || n > 700 {
			t.Errorf("%d of 1000 ended in half the spread, want about half", n)
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if n := ended.Load(); n != 1000 || x.Len() != 0 {
			t.Errorf("%d ended and %d open, want 1000 and 0", n, x.Len())
		}
	})
}

func TestDrainAndReset(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x, _ := index(t)
		var causes []<-chan Cause
		for range 100 {
			_, c := open(x, Conn{Identity: who(key("a"))})
			causes = append(causes, c)
		}
		began := time.Now()
		if left := x.Drain(t.Context(), time.Second); left != 0 || time.Since(began) < 500*time.Millisecond {
			t.Errorf("%d left after %v", left, time.Since(began))
		}
		for _, c := range causes {
			if got := cause(t, c); got.Code != Draining {
				t.Fatalf("cause %v, want draining", got)
			}
		}

		x.Open(Conn{Identity: who(key("a")), End: func(Cause) {}}) // never closes
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if left := x.Drain(ctx, 0); left != 1 {
			t.Errorf("%d left, want 1", left)
		}

		_, c := open(x, Conn{Identity: who(key("a"))})
		x.Reset()
		if got := cause(t, c); got.Code != NotFresh {
			t.Errorf("cause after reset %v, want not fresh", got)
		}
		synctest.Wait()
	})
}

func TestListAndCounters(t *testing.T) {
	t.Parallel()
	x, _ := index(t)
	ann := &identity.Identity{Tenant: "ten_1", Principal: "usr_ann", Credential: "cre_1"}
	bob := &identity.Identity{Tenant: "ten_1", Principal: "usr_bob", Credential: "cre_2"}
	h := x.Open(Conn{ID: "con_1", Kind: WebSocket, Dialect: "gateway", Route: "feed", Identity: ann, Queued: func() int { return 9 }})
	x.Open(Conn{ID: "con_2", Kind: Request, Dialect: "gateway", Identity: ann})
	x.Open(Conn{ID: "con_3", Kind: WebSocket, Dialect: "ayyeka", Identity: bob})
	h.Received(10)
	h.Received(5)
	h.Sent(7)
	h.End(Slow)
	h.End(Closed)

	ids := func(f Filter) (ids []string) {
		for _, i := range x.List(f) {
			ids = append(ids, i.ID)
		}
		return ids
	}
	for want, f := range map[string]Filter{
		"[con_1 con_2 con_3]": {},
		"[con_1 con_2]":       {Principal: "usr_ann"},
		"[con_1 con_3]":       {Kind: WebSocket},
		"[con_3]":             {Credential: "cre_2"},
		"[con_2 con_3]":       {After: "con_1"},
		"[con_1]":             {Limit: 1},
		"[]":                  {Tenant: "ten_2"},
	} {
		if got := fmt.Sprint(ids(f)); got != want {
			t.Errorf("%+v: %v, want %v", f, got, want)
		}
	}
	got := x.List(Filter{ID: "con_1"})[0]
	if got.MessagesIn != 2 || got.BytesIn != 15 || got.MessagesOut != 1 || got.BytesOut != 7 || got.Queued != 9 || got.Ended != Slow {
		t.Errorf("info %+v", got)
	}
	want := map[[2]string]int{{WebSocket, "gateway"}: 1, {Request, "gateway"}: 1, {WebSocket, "ayyeka"}: 1}
	if d := cmp.Diff(want, x.Counts()); d != "" {
		t.Errorf("counts (-want +got):\n%s", d)
	}
}
