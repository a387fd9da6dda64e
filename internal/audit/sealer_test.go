package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse.dev/internal/audit"
)

func runSealer(ctx context.Context, t *testing.T, s *audit.Sealer) (stop func()) {
	t.Helper()
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestSealerWithinASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		stop := runSealer(t.Context(), t, &audit.Sealer{Store: m, Signer: newSigner(1), Node: "nod_a"})
		for i := range 5 {
			m.AppendEvents(t.Context(), []audit.Event{{ID: fmt.Sprint("aud_", i), Action: "login"}})
			time.Sleep(time.Second)
			synctest.Wait()
			if tip, _ := m.Tip(t.Context()); tip.Seq != int64(i+1) {
				t.Errorf("after a second the chain ends at %d, want %d", tip.Seq, i+1)
			}
		}
		stop()
		if r := verify(t, m, newSigner(1)); !r.OK() || r.Rows != 5 || r.Unsealed != 0 {
			t.Errorf("report = %+v", r)
		}
	})
}

func TestSealerSignsEachMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, out := &memory{}, &bytes.Buffer{}
		var kept []audit.Head
		s := &audit.Sealer{
			Store: m, Signer: newSigner(1), Node: "nod_a",
			Log:    slog.New(slog.NewJSONHandler(out, nil)),
			OnHead: func(h audit.Head) error { kept = append(kept, h); return nil },
		}
		stop := runSealer(t.Context(), t, s)
		for range 10 { // five minutes with a row in each half
			m.AppendEvents(t.Context(), []audit.Event{{Action: "login"}})
			time.Sleep(30 * time.Second)
		}
		time.Sleep(time.Hour) // nothing happens: nothing to sign
		stop()
		if len(m.heads) < 5 || len(m.heads) > 7 || len(kept) != len(m.heads) {
			t.Errorf("%d heads stored, %d kept beside, want one a minute for five minutes", len(m.heads), len(kept))
		}
		if got := strings.Count(out.String(), `"msg":"audit head"`); got != len(m.heads) {
			t.Errorf("%d heads in the log stream, want %d", got, len(m.heads))
		}
		if r := verify(t, m, newSigner(1), kept...); !r.OK() || r.Heads != 2*len(kept) {
			t.Errorf("report = %+v", r)
		}
		if r := verify(t, m, newSigner(2)); r.OK() {
			t.Error("heads signed by another key were believed")
		}
	})
}

// Two sealers whose leases overlap must not fork the chain.
func TestSealerContest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		stopA := runSealer(t.Context(), t, &audit.Sealer{Store: noLease{m}, Signer: newSigner(1), Node: "nod_a"})
		stopB := runSealer(t.Context(), t, &audit.Sealer{Store: noLease{m}, Signer: newSigner(1), Node: "nod_b"})
		for i := range 500 {
			m.AppendEvents(t.Context(), []audit.Event{{ID: fmt.Sprint("aud_", i), Action: "login"}})
			time.Sleep(37 * time.Millisecond)
		}
		stopA()
		stopB()
		if r := verify(t, m, newSigner(1)); !r.OK() || r.Rows != 500 {
			t.Errorf("report = %+v", r)
		}
	})
}

type noLease struct{ *memory }

func (noLease) AcquireLease(context.Context, string, string, time.Duration) (bool, error) {
	return true, nil
}

func TestSealerTakesOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		if ok, _ := m.AcquireLease(t.Context(), "audit-sealer", "nod_dead", 10*time.Second); !ok {
			t.Fatal("no lease")
		}
		stop := runSealer(t.Context(), t, &audit.Sealer{Store: m, Signer: newSigner(1), Node: "nod_b"})
		m.AppendEvents(t.Context(), []audit.Event{{Action: "login"}})
		time.Sleep(5 * time.Second)
		if tip, _ := m.Tip(t.Context()); tip.Seq != 0 {
			t.Error("sealed without the lease")
		}
		time.Sleep(6 * time.Second)
		if tip, _ := m.Tip(t.Context()); tip.Seq != 1 {
			t.Error("did not take over from a node that is gone")
		}
		stop()
		if m.holder != "" {
			t.Errorf("the lease was left to %q", m.holder)
		}
	})
}

func TestSealerSurvivesErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, out := &memory{}, &bytes.Buffer{}
		m.AppendEvents(t.Context(), []audit.Event{{Action: "login"}})
		m.err = errors.New("disk full")
		stop := runSealer(t.Context(), t, &audit.Sealer{Store: m, Signer: newSigner(1), Node: "nod_a", Log: slog.New(slog.NewTextHandler(out, nil))})
		time.Sleep(time.Minute)
		synctest.Wait()
		m.mu.Lock()
		m.err = nil
		m.mu.Unlock()
		time.Sleep(time.Second)
		stop()
		if got := strings.Count(out.String(), "disk full"); got != 1 {
			t.Errorf("the failure was logged %d times, want once", got)
		}
		if r := verify(t, m, newSigner(1)); !r.OK() || r.Rows != 1 {
			t.Errorf("report = %+v", r)
		}
	})
}
