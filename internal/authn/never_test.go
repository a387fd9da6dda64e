package authn_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/live"
	"gatehouse.dev/internal/revocation"
)

// caller is one credential, with a token got with it, and what is known of it
// from outside: whether a receipt for its end has been handed out.
type caller struct {
	rec   *credential.Record
	shown []authn.Attempt
	ended atomic.Int64 // number of the change whose receipt is out; 0: none
	socks sockets
}

// sockets are what a caller has open.
type sockets struct {
	mu   sync.Mutex
	open map[*live.Handle]bool
}

func (s *sockets) add(h *live.Handle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = make(map[*live.Handle]bool)
	}
	s.open[h] = true
}

func (s *sockets) all() (hs []*live.Handle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for h := range s.open {
		hs = append(hs, h)
	}
	return hs
}

func (h *house) caller(t testing.TB, kind int) *caller {
	c := &caller{}
	var a authn.Attempt
	switch kind % 3 {
	case 0:
		c.rec, a = h.pair()
	case 1:
		c.rec, a = h.apiKey()
	case 2:
		c.rec, a = h.user(t, fmt.Sprint("user", kind))
	}
	c.shown = []authn.Attempt{a, h.token(c.rec, time.Hour)}
	return c
}

// end takes the right away in one of the ways there are, waits for the receipt
// and says from then on that it is out.
func (h *house) end(t testing.TB, c *caller, way int) {
	r := c.rec
	var f func()
	var g revocation.Ground
	switch way % 5 {
	case 0:
		f, g = func() { r.Credential.Revoked = time.Now() }, ground(revocation.Credential, r.Credential.ID)
	case 1:
		f, g = func() { r.Credential.Enabled = false }, ground(revocation.Credential, r.Credential.ID)
	case 2:
		f, g = func() { r.Principal.Enabled = false }, ground(revocation.Principal, r.Principal.ID)
	case 3:
		f, g = func() { r.Secrets[0].Revoked = time.Now() }, ground(revocation.Secret, r.Secrets[0].ID)
	case 4:
		f, g = func() { r.Secrets, r.Credential.Revoked = nil, time.Now() }, ground(revocation.Principal, r.Principal.ID)
	}
	n := h.store.change(revocation.End, f, g)
	out := h.tail.Await(t.Context(), n)
	if len(out.Unreached) > 0 {
		t.Errorf("no receipt for change %d", n)
		return
	}
	c.ended.Store(n)
	for _, s := range c.socks.all() {
		if s.Ended() == 0 {
			t.Errorf("a socket passes after the receipt of %d", n)
		}
	}
}

// knock shows one of the caller's secrets in one of the ways in, and reports
// what must never be: that it is believed although the receipt was out before.
func (h *house) knock(t testing.TB, c *caller, what, way int, pause time.Duration) {
	a := c.shown[what%len(c.shown)]
	receipt := c.ended.Load() // before asking
	i, err := h.Check(t.Context(), a)
	if way%3 == 1 {
		i, err = h.Login(t.Context(), a)
	}
	if err != nil {
		if receipt == 0 && c.ended.Load() == 0 && kindOf(err) == authn.Unavailable {
			t.Errorf("could not be decided: %v", err)
		}
		return
	}
	if receipt != 0 {
		t.Errorf("%s believed after the receipt of %d", a.Method, receipt)
	}
	if way%3 != 2 {
		return
	}
	// Something is opened on what was believed a moment ago.
	time.Sleep(pause)
	receipt = c.ended.Load()
	handle := make(chan *live.Handle, 1)
	s, err := h.Hold(t.Context(), i, live.Conn{
		Kind: live.WebSocket,
		End: func(live.Cause) {
			go func() {
				if h := <-handle; h != nil {
					h.Close()
				}
			}()
		},
		Recheck: func(ctx context.Context) (now *identity.Identity, err error) {
			return h.Renew(ctx, i, home)
		},
	})
	if err != nil { // maybe it was ended while it was opened
		close(handle)
		return
	}
	c.socks.add(s)
	handle <- s
	if receipt != 0 {
		t.Errorf("a socket was opened after the receipt of %d", receipt)
	}
	if n := c.ended.Load(); n != 0 && s.Ended() == 0 {
		t.Errorf("a socket lives on after the receipt of %d", n)
	}
}

// Verifications and revocations interleaved, on a schedule that is drawn: when
// each begins, how long the reads of the store take, and how long after being
// believed something is opened. Time is synthetic; only what falls on the same
// moment is left to chance.
func TestNeverBelievedAfterReceipt(t *testing.T) {
	t.Parallel()
	type knock struct{ at, what, way, takes, pause int }
	type plan struct {
		kind, way, end int
		knocks         []knock
	}
	plans := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) plan {
		return plan{
			kind: rapid.IntRange(0, 2).Draw(t, "kind"),
			way:  rapid.IntRange(0, 4).Draw(t, "way"),
			end:  rapid.IntRange(0, 600).Draw(t, "end"),
			knocks: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) knock {
				return knock{
					at:    rapid.IntRange(0, 900).Draw(t, "at"),
					what:  rapid.IntRange(0, 1).Draw(t, "what"),
					way:   rapid.IntRange(0, 2).Draw(t, "way"),
					takes: rapid.SampledFrom([]int{0, 0, 1, 3, 50, 300}).Draw(t, "takes"),
					pause: rapid.SampledFrom([]int{0, 0, 1, 50, 300}).Draw(t, "pause"),
				}
			}), 1, 12).Draw(t, "knocks"),
		}
	}), 1, 3)
	rapid.Check(t, func(rt *rapid.T) {
		drawn := plans.Draw(rt, "plans")
		nudged := rapid.Bool().Draw(rt, "nudged")
		failed := &failures{}
		synctest.Test(t, func(t *testing.T) {
			failed.TB = t
			h := build(t, lenient)
			var next atomic.Int64 // how long the next read takes, in milliseconds
			h.store.slow = func() { time.Sleep(time.Duration(next.Load()) * time.Millisecond) }
			var all sync.WaitGroup
			for n, p := range drawn {
				c := h.caller(t, 3*n+p.kind)
				for _, k := range p.knocks {
					all.Go(func() {
						time.Sleep(time.Duration(k.at) * time.Millisecond)
						next.Store(int64(k.takes))
						h.knock(failed, c, k.what, k.way, time.Duration(k.pause)*time.Millisecond)
					})
				}
				all.Go(func() {
					time.Sleep(time.Duration(p.end) * time.Millisecond)
					if !nudged { // found by the tail itself, some time before the receipt is asked for
						h.store.change(revocation.End, func() {}, ground(revocation.Conn, "con_other"))
					}
					h.end(failed, c, p.way)
				})
			}
			all.Wait()
		})
		if failed.text != "" {
			rt.Fatalf("%s", failed.text)
		}
	})
}

// failures collects what a schedule found, so that rapid can shrink it.
type failures struct {
	testing.TB
	mu   sync.Mutex
	text string
}

func (f *failures) Errorf(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.text += fmt.Sprintf(format, args...) + "\n"
}

// The same in real time and with real parallelism, for the race detector.
func TestNeverBelievedAfterReceiptInParallel(t *testing.T) {
	t.Parallel()
	h := build(t, lenient)
	h.store.slow = func() {
		if rand.IntN(4) == 0 {
			time.Sleep(time.Duration(rand.IntN(300)) * time.Microsecond)
		}
	}
	var current [6]atomic.Pointer[caller]
	for i := range current {
		current[i].Store(h.caller(t, i))
	}
	stop := make(chan struct{})
	var knockers sync.WaitGroup
	for range 6 {
		knockers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					h.knock(t, current[rand.IntN(len(current))].Load(), rand.IntN(2), rand.IntN(3), time.Duration(rand.IntN(200))*time.Microsecond)
				}
			}
		})
	}
	var enders sync.WaitGroup
	for i := range current {
		enders.Go(func() {
			for round := range 25 {
				time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond)
				old := current[i].Load()
				h.end(t, old, rand.IntN(5))
				h.knock(t, old, 0, 0, 0) // and surely not now
				h.knock(t, old, 1, 2, 0)
				current[i].Store(h.caller(t, i+len(current)*(round+1)))
			}
		})
	}
	enders.Wait()
	close(stop)
	knockers.Wait()
}
