package storetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/store"
	"gatehouse.dev/internal/ticket"
)

func (w *world) ticket(t testing.TB, digest string, life time.Duration) ticket.Ticket {
	t.Helper()
	k := ticket.Ticket{
		Digest: []byte(digest), Tenant: w.tenant.ID, Opens: "gateway/board", Origin: "https://board.example",
		Maker: ticket.Maker{
			Principal: w.user.ID, Credential: "cre_1", Secret: "sec_1", Dialect: "gateway", Method: identity.JWT,
			Scopes: []string{}, Issued: whole, Expires: whole.Add(time.Hour),
			Grounds: []revocation.Ground{{Kind: revocation.Principal, ID: w.user.ID}}, AsOf: revocation.Position{Incarnation: 1, N: 7},
		},
	}
	var err error
	k.Expires, err = w.AddTicket(t.Context(), k, life)
	ok(t, err)
	return k
}

func tickets(t *testing.T, w *world) {
	ctx := t.Context()
	k := w.ticket(t, "digest 1", time.Minute)
	if left := time.Until(k.Expires); left < 50*time.Second || left > time.Minute {
		t.Errorf("a ticket of a minute has %v left", left)
	}
	gone := func(what, tenant string, digests ...string) {
		t.Helper()
		all := make([][]byte, len(digests))
		for i, d := range digests {
			all[i] = []byte(d)
		}
		if _, err := w.UseTicket(ctx, tenant, all); !errors.Is(err, ticket.ErrUnknown) {
			t.Errorf("%s: %v, want ErrUnknown", what, err)
		}
	}
	gone("another digest", w.tenant.ID, "digest 2")
	gone("another tenant", "ten_other", "digest 1")
	got, err := w.UseTicket(ctx, w.tenant.ID, [][]byte{[]byte("digest 0"), []byte("digest 1")})
	ok(t, err)
	same(t, "ticket", got, k)
	gone("used", w.tenant.ID, "digest 1")

	w.ticket(t, "digest 3", time.Microsecond)
	time.Sleep(2 * time.Millisecond)
	gone("over", w.tenant.ID, "digest 3")
	n, err := w.SweepTickets(ctx, time.Now())
	if err != nil || n != 1 {
		t.Errorf("swept %d, %v; want the one whose time was over", n, err)
	}
}

// writes counts the writes of an engine.
type writes struct {
	store.Engine
	n atomic.Int64
}

func (e *writes) Write(ctx context.Context, fn func(store.Querier) error) error {
	e.n.Add(1)
	return e.Engine.Write(ctx, fn)
}

// ticketsMadeUp: what a stranger makes up costs no write.
func ticketsMadeUp(t *testing.T, w *world) {
	k := w.ticket(t, "digest 1", time.Minute)
	e := &writes{Engine: w.Engine()}
	s := store.New(e)
	for range 3 {
		if _, err := s.UseTicket(t.Context(), w.tenant.ID, [][]byte{[]byte("made up"), []byte("made up, too")}); !errors.Is(err, ticket.ErrUnknown) {
			t.Errorf("%v, want ErrUnknown", err)
		}
	}
	if n := e.n.Load(); n != 0 {
		t.Errorf("%d writes", n)
	}
	if _, err := s.UseTicket(t.Context(), w.tenant.ID, [][]byte{[]byte("made up"), k.Digest}); err != nil || e.n.Load() != 1 {
		t.Errorf("the real one: %v, %d writes", err, e.n.Load())
	}
}

// ticketsRace: of many who show one ticket at once, one gets it.
func ticketsRace(t *testing.T, w *world) {
	for range 5 {
		k := w.ticket(t, "digest "+time.Now().String(), time.Minute)
		var got atomic.Int64
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				_, err := w.UseTicket(t.Context(), w.tenant.ID, [][]byte{k.Digest})
				switch {
				case err == nil:
					got.Add(1)
				case !errors.Is(err, ticket.ErrUnknown):
					t.Errorf("use: %v", err)
				}
			})
		}
		all.Wait()
		if got.Load() != 1 {
			t.Errorf("%d of 8 got it", got.Load())
		}
	}
}
