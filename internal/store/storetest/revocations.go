package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/revocation"
)

func conn(id string) revocation.Ground { return revocation.Ground{Kind: revocation.Conn, ID: id} }

func revocationLog(t *testing.T, w *world) {
	ctx := t.Context()
	b, err := w.RevocationsSince(ctx, 0, 0)
	ok(t, err)
	same(t, "empty log", b, revocation.Batch{Incarnation: 1})

	for i := range 5 {
		n, err := w.Revoke(ctx, revocation.Entry{
			Effect: revocation.End, Reason: fmt.Sprint("r", i),
			Grounds: []revocation.Ground{conn("a"), conn("b"), conn("a"), {Kind: revocation.Tenant, ID: "t"}},
		})
		ok(t, err)
		if n != int64(i+1) {
			t.Errorf("number %d, want %d", n, i+1)
		}
	}
	// A limit counts entries, and never cuts one in two.
	b, err = w.RevocationsSince(ctx, 1, 3)
	ok(t, err)
	if b.Head != 5 || len(b.Entries) != 3 {
		t.Fatalf("batch = %+v", b)
	}
	for i, e := range b.Entries {
		if e.N != int64(i+2) || e.Reason != fmt.Sprint("r", i+1) || e.Effect != revocation.End {
			t.Errorf("entry %d = %+v", i, e)
		}
		same(t, "grounds", e.Grounds, []revocation.Ground{{Kind: revocation.Tenant, ID: "t"}, conn("a"), conn("b")})
	}
	b, err = w.RevocationsSince(ctx, 5, 0)
	ok(t, err)
	same(t, "nothing new", b, revocation.Batch{Incarnation: 1, Head: 5})

	for _, bad := range []revocation.Entry{{Effect: revocation.End}, {Grounds: []revocation.Ground{conn("a")}}} {
		if _, err := w.Revoke(ctx, bad); err == nil {
			t.Errorf("accepted %+v", bad)
		}
	}
	if n := w.head(t); n != 5 {
		t.Errorf("a refused entry took number %d", n)
	}
}

// revocationOrder: while writers of every kind are at it, some of which fail, a
// reader that follows the log finds each number once, in order, without gaps,
// and never a number beyond one that is still missing.
func revocationOrder(t *testing.T, w *world) {
	const writers, each = 16, 12
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	numbers := make(chan int64, writers*each)
	for i := range writers {
		wg.Go(func() {
			for j := range each {
				var n int64
				var err error
				switch (i + j) % 4 {
				case 0:
					n, err = w.GrantRole(t.Context(), w.user.ID, fmt.Sprint(i, j), event("role.grant"))
				case 1:
					n, err = w.DisableTenant(t.Context(), w.tenant.ID, event("tenant.disable"))
				case 2: // fails after the event was written, before the number
					_, err = w.PutPolicySet(t.Context(), policy.Set{Tenant: w.tenant.ID, Version: 7}, event("x"))
					if !errors.Is(err, policy.ErrChanged) {
						t.Error(err)
					}
					continue
				default:
					n, err = w.Revoke(t.Context(), revocation.Entry{Effect: revocation.End, Grounds: []revocation.Ground{conn("x")}})
				}
				if err != nil {
					t.Error(err)
				}
				numbers <- n
			}
		})
	}
	followed := make(chan int64, 1)
	go func() { followed <- follow(ctx, t, w) }()
	wg.Wait()
	close(numbers)
	seen := map[int64]bool{}
	for n := range numbers {
		if seen[n] {
			t.Errorf("number %d given twice", n)
		}
		seen[n] = true
	}
	head := w.head(t)
	if int(head) != len(seen) {
		t.Errorf("head is %d after %d revocations", head, len(seen))
	}
	for at := int64(0); at < head; {
		select {
		case at = <-followed:
		case <-time.After(20 * time.Second):
			t.Fatalf("the reader is at %d of %d", at, head)
		}
		if at < head {
			go func() { followed <- follow(ctx, t, w) }()
		}
	}
}

// follow reads the log from its beginning until it has caught up, checking that
// nothing is missing, and returns the last number.
func follow(ctx context.Context, t *testing.T, w *world) (at int64) {
	for {
		b, err := w.RevocationsSince(ctx, at, 7)
		if err != nil {
			t.Error(err)
			return at
		}
		for _, e := range b.Entries {
			if e.N != at+1 {
				t.Errorf("entry %d follows %d", e.N, at)
			}
			at = e.N
		}
		if at > b.Head || (len(b.Entries) < 7 && at != b.Head) {
			t.Errorf("at %d, but the same read has the head at %d", at, b.Head)
		}
		if at == b.Head {
			return at
		}
	}
}

func revocationNotified(t *testing.T, w *world) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	heads := make(chan int64, 100)
	ended := make(chan error, 1)
	go func() {
		ended <- w.ListenRevocations(ctx, func() {
			b, err := w.RevocationsSince(ctx, 0, 0)
			if err == nil {
				heads <- b.Head
			}
		})
	}()
	<-heads // at the start
	n, err := w.DisablePrincipal(t.Context(), w.user.ID, event("x"))
	ok(t, err)
	for deadline := time.After(10 * time.Second); ; {
		select {
		case h := <-heads:
			if h < n {
				continue
			}
		case <-deadline:
			t.Fatal("a listener was not told, or before it could see the entry")
		}
		break
	}
	cancel()
	fails(t, "listen", <-ended, context.Canceled)
}

func nodes(t *testing.T, w *world) {
	ctx := t.Context()
	at := revocation.Position{Incarnation: 1, N: 7}
	took := 1500 * time.Microsecond
	ok(t, w.Heartbeat(ctx, "nod_b", at, []revocation.Receipt{{Change: 7, SocketsClosed: 3, Took: took}}))
	ok(t, w.Heartbeat(ctx, "nod_a", at, nil))
	live, err := w.LiveNodes(ctx, time.Minute)
	ok(t, err)
	same(t, "live", live, []string{"nod_a", "nod_b"})
	w.sql(t, `UPDATE node SET seen = seen - 3600000000`)
	ok(t, w.Heartbeat(ctx, "nod_b", at, []revocation.Receipt{{Change: 7, SocketsClosed: 4, Took: took}, {Change: 8}}))
	live, err = w.LiveNodes(ctx, time.Minute)
	ok(t, err)
	same(t, "seen just now", live, []string{"nod_b"})
	got, err := w.Receipts(ctx, 7)
	ok(t, err)
	same(t, "receipts", got, []revocation.Receipt{{Change: 7, Node: "nod_b", SocketsClosed: 4, Took: took}})
	got, err = w.Receipts(ctx, 9)
	ok(t, err)
	same(t, "none", got, []revocation.Receipt{})
}

// auditWithChange: no change without its event, no event without its change.
func auditWithChange(t *testing.T, w *world) {
	bad := event("x")
	bad.Personal = map[string]string{"source": "192.0.2.1"}
	before := w.head(t)
	_, err := w.DisablePrincipal(t.Context(), w.user.ID, bad)
	fails(t, "unprotected event", err, audit.ErrUnprotected)
	if p, _ := w.Principal(t.Context(), w.user.ID); !p.Enabled {
		t.Error("the change was kept without its event")
	}
	if w.head(t) != before {
		t.Error("a number was taken")
	}
}
