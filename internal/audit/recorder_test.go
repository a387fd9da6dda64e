package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse.dev/internal/audit"
)

// boxes is a protector whose keys are names: enough to see what was protected
// for whom.
type boxes struct {
	erased map[string]bool
	err    error
}

func (b *boxes) ProtectPersonal(_ context.Context, tenant, person string, ad, plain []byte) ([]byte, error) {
	if b.err != nil {
		return nil, b.err
	}
	if b.erased[person] {
		return nil, audit.ErrErased
	}
	return slicesConcat([]byte(tenant+"|"+person+"|"), ad, []byte("|"), flip(plain)), nil
}

func (b *boxes) RevealPersonal(_ context.Context, tenant, person string, ad, sealed []byte) ([]byte, error) {
	if b.erased[person] {
		return nil, audit.ErrErased
	}
	rest, ok := bytes.CutPrefix(sealed, slicesConcat([]byte(tenant+"|"+person+"|"), ad, []byte("|")))
	if !ok {
		return nil, errors.New("does not open")
	}
	return flip(rest), nil
}

func flip(b []byte) []byte {
	out := bytes.Clone(b)
	for i := range out {
		out[i] ^= 0xff
	}
	return out
}

func slicesConcat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func failure(source, name string) audit.Event {
	return audit.Event{
		Tenant: "ten_a", Action: "login", Outcome: audit.Refused, Reason: "wrong secret",
		Personal: map[string]string{audit.FieldSource: source, audit.FieldName: name},
	}
}

// recording runs f with a recorder in a bubble and returns the rows after its stop.
func recording(t *testing.T, m *memory, p audit.Protector, f func(r *audit.Recorder)) []audit.Row {
	t.Helper()
	r := audit.NewRecorder(m, p, "nod_a", slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	f(r)
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	return m.rows
}

func TestRecorderFoldsFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		rows := recording(t, m, &boxes{}, func(r *audit.Recorder) {
			for range 100 {
				r.Record(t.Context(), failure("192.0.2.1", "ann"))
			}
			r.Record(t.Context(), failure("192.0.2.1", "bob"))
			r.Record(t.Context(), failure("192.0.2.2", "ann"))
			for range 100 {
				r.Record(t.Context(), audit.Event{Tenant: "ten_a", Action: "login"})
			}
			time.Sleep(61 * time.Second) // the minute ends: counts are written
			synctest.Wait()
			r.Record(t.Context(), failure("192.0.2.1", "ann")) // the next begins afresh
		})
		var single, folded, ok int
		for _, r := range rows {
			switch {
			case r.Outcome == audit.OK:
				ok++
			case r.Count == 1:
				single++
			default:
				folded += int(r.Count)
				p, err := audit.Reveal(t.Context(), &boxes{}, r.Event)
				if err != nil || p[audit.FieldName] != "ann" || p[audit.FieldSource] != "192.0.2.1" {
					t.Errorf("the count is of %v, %v", p, err)
				}
			}
		}
		if single != 3+1+1+1 || folded != 97 || ok != 100 {
			t.Errorf("%d by themselves, %d counted, %d successes; want 6, 97, 100", single, folded, ok)
		}
	})
}

// What a program does all the time is counted likewise, by who and to what.
func TestRecorderOften(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		rows := recording(t, m, &boxes{}, func(r *audit.Recorder) {
			for range 100 {
				r.RecordOften(t.Context(), audit.Event{Tenant: "ten_a", Action: "push.send", Actor: "cli_1", Target: "con_1"})
			}
			r.RecordOften(t.Context(), audit.Event{Tenant: "ten_a", Action: "push.send", Actor: "cli_1", Target: "con_2"})
			time.Sleep(61 * time.Second)
			synctest.Wait()
		})
		count := map[string]int{}
		for _, r := range rows {
			count[r.Target] += int(r.Count)
		}
		if len(rows) != 3+1+1 || count["con_1"] != 100 || count["con_2"] != 1 {
			t.Errorf("%d rows, %v", len(rows), count)
		}
	})
}

func TestRecorderFlood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var total, rows int64
		for _, r := range recording(t, &memory{}, &boxes{}, func(r *audit.Recorder) {
			for i := range 50_000 {
				r.Record(t.Context(), failure(fmt.Sprintf("10.0.%d.%d", i/250, i%250), "x"))
				if i%1000 == 0 {
					synctest.Wait()
				}
			}
		}) {
			rows++
			total += r.Count
		}
		if total != 50_000 || rows > 3000 {
			t.Errorf("50000 failures from everywhere gave %d rows that count %d", rows, total)
		}
	})
}

// While the store is away nobody waits; what does not fit is counted, and the
// count is the first thing to be seen afterwards.
func TestRecorderDrops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{err: errors.New("disk full")}
		rows := recording(t, m, &boxes{}, func(r *audit.Recorder) {
			for range 20_000 {
				r.Record(t.Context(), audit.Event{Action: "login", Actor: "usr_a"})
			}
			if r.Dropped() == 0 {
				t.Error("nothing was dropped")
			}
			time.Sleep(time.Minute)
			m.mu.Lock()
			m.err = nil
			m.mu.Unlock()
			time.Sleep(time.Minute)
		})
		var kept, dropped int64
		for _, r := range rows {
			if r.Action == audit.ActionDropped {
				dropped += r.Count
			} else {
				kept++
			}
		}
		if kept+dropped != 20_000 || dropped == 0 || kept < 8000 {
			t.Errorf("kept %d, said to have dropped %d of 20000", kept, dropped)
		}
	})
}

func TestRecorderBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		recording(t, m, &boxes{}, func(r *audit.Recorder) {
			for range 200 {
				r.Record(t.Context(), audit.Event{Action: "login"})
			}
			time.Sleep(time.Second)
		})
		if m.calls > 2 {
			t.Errorf("200 events at once took %d transactions", m.calls)
		}
	})
}

func TestRecorderErasedPerson(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rows := recording(t, &memory{}, &boxes{erased: map[string]bool{"usr_a": true}}, func(r *audit.Recorder) {
			r.Record(t.Context(), audit.Event{Action: "login", Person: "usr_a", Personal: map[string]string{"name": "ann"}})
		})
		if len(rows) != 1 || rows[0].Sealed != nil || rows[0].Detail["personal"] == "" {
			t.Errorf("rows = %+v", rows)
		}
	})
}

func TestProtect(t *testing.T) {
	t.Parallel()
	keys := &boxes{erased: map[string]bool{}}
	m, signer := &memory{}, newSigner(1)
	open := audit.Event{Tenant: "ten_a", Action: "login", Person: "usr_a", Personal: map[string]string{"name": "ann"}}
	if err := m.AppendEvents(t.Context(), []audit.Event{open}); !errors.Is(err, audit.ErrUnprotected) {
		t.Fatalf("a store took personal fields in the clear: %v", err)
	}
	e, err := audit.Protect(t.Context(), keys, open)
	if err != nil || e.Personal != nil || bytes.Contains(e.Sealed, []byte("ann")) {
		t.Fatalf("protected = %+v, %v", e, err)
	}
	m.AppendEvents(t.Context(), []audit.Event{e})
	seal(t, m, signer, day(1))

	if p, err := audit.Reveal(t.Context(), keys, m.rows[0].Event); err != nil || p["name"] != "ann" {
		t.Errorf("revealed = %v, %v", p, err)
	}
	other := m.rows[0].Event
	other.ID = "aud_other"
	if _, err := audit.Reveal(t.Context(), keys, other); err == nil {
		t.Error("a ciphertext opened in another row")
	}
	keys.erased["usr_a"] = true
	if _, err := audit.Reveal(t.Context(), keys, m.rows[0].Event); !errors.Is(err, audit.ErrErased) {
		t.Errorf("after erasing: %v", err)
	}
	if r := verify(t, m, signer); !r.OK() || r.Rows != 1 {
		t.Errorf("erasing a person spoiled the chain: %+v", r)
	}
}
