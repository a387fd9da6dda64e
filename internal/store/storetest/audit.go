package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"gatehouse.dev/internal/audit"
)

func auditRows(t *testing.T, w *world) {
	ctx := t.Context()
	full := audit.Event{
		ID: "aud_1", At: whole, Node: "nod", Tenant: "ten", Actor: "usr", Action: "login", Target: "cre", Outcome: audit.Refused,
		Reason: "wrong secret", Dialect: "ayyeka", Method: "password", Request: "req", Count: 9,
		Detail: map[string]string{"a": "b ☃", "": "c"}, Person: "usr", Sealed: []byte{0, 1, 255},
	}
	bare := audit.Event{ID: "aud_2", At: whole, Action: "bare"}
	ok(t, w.AppendEvents(ctx, []audit.Event{full, bare}))
	ok(t, w.AppendEvents(ctx, []audit.Event{bare, full})) // sent again
	rows, err := w.Events(ctx, audit.Filter{Since: whole, Until: whole.Add(time.Microsecond)})
	ok(t, err)
	if len(rows) != 2 || rows[0].Number == 0 || rows[0].Number >= rows[1].Number {
		t.Fatalf("rows = %+v", rows)
	}
	bare.Count, bare.Outcome = 1, audit.OK
	same(t, "full", rows[0], audit.Row{Event: full}, cmpopts.IgnoreFields(audit.Row{}, "Number"))
	same(t, "bare", rows[1], audit.Row{Event: bare}, cmpopts.IgnoreFields(audit.Row{}, "Number"))

	err = w.AppendEvents(ctx, []audit.Event{{ID: "aud_3", Action: "y"}, {Action: "x", Personal: map[string]string{"a": "b"}}})
	fails(t, "unprotected", err, audit.ErrUnprotected)
	if rows, _ := w.Events(ctx, audit.Filter{Action: "y"}); len(rows) != 0 {
		t.Error("half a batch was kept")
	}
}

// auditMany writes more than goes into one statement, some of it again.
func auditMany(t *testing.T, w *world) {
	ctx := t.Context()
	events := make([]audit.Event, 75)
	for i := range events {
		text := fmt.Sprint("_", i)
		events[i] = audit.Event{
			ID: "aud" + text, At: whole.Add(time.Duration(i) * time.Second), Node: "nod" + text, Tenant: "ten" + text, Actor: "usr" + text,
			Action: "login" + text, Target: "cre" + text, Outcome: audit.Refused, Reason: "why" + text, Dialect: "ayyeka" + text,
			Method: "password" + text, Request: "req" + text, Count: int64(i + 1), Detail: map[string]string{"a": text},
			Person: "per" + text, Sealed: []byte{byte(i)},
		}
	}
	ok(t, w.AppendEvents(ctx, events[:10]))
	ok(t, w.AppendEvents(ctx, append(events, events[20:60]...)))
	rows, err := w.Events(ctx, audit.Filter{Since: whole, Until: whole.Add(time.Hour)})
	ok(t, err)
	if len(rows) != len(events) {
		t.Fatalf("%d rows of %d events", len(rows), len(events))
	}
	for i, row := range rows {
		if i > 0 && row.Number <= rows[i-1].Number {
			t.Errorf("row %d has number %d after %d", i, row.Number, rows[i-1].Number)
		}
		same(t, fmt.Sprint("row ", i), row, audit.Row{Event: events[i]}, cmpopts.IgnoreFields(audit.Row{}, "Number"))
	}
	last := audit.Event{ID: "aud_last", Action: "x", Personal: map[string]string{"a": "b"}}
	for i := range events {
		events[i].ID += "'"
	}
	fails(t, "unprotected", w.AppendEvents(ctx, append(events, last)), audit.ErrUnprotected)
	if rows, _ := w.Events(ctx, audit.Filter{Since: whole, Until: whole.Add(time.Hour)}); len(rows) != len(events) {
		t.Error("part of a batch was kept")
	}
}

func auditFilter(t *testing.T, w *world) {
	ctx := t.Context()
	for i, e := range []audit.Event{
		{Tenant: "t1", Actor: "a1", Action: "key.rotate", Target: "x", Outcome: audit.OK},
		{Tenant: "t1", Actor: "a2", Action: "key.revoke", Target: "y", Outcome: audit.Refused, Person: "p"},
		{Tenant: "t2", Actor: "a1", Action: "keys", Target: "x", Outcome: audit.Failed},
		{Tenant: "t2", Actor: "a1", Action: "key%", Target: "x", Outcome: audit.OK},
	} {
		e.ID, e.At = fmt.Sprint("aud_", i), whole.Add(time.Duration(i)*time.Second)
		ok(t, w.AppendEvents(ctx, []audit.Event{e}))
	}
	all, err := w.Events(ctx, audit.Filter{Since: whole, Until: whole.Add(time.Minute)})
	ok(t, err)
	for name, c := range map[string]struct {
		f    audit.Filter
		want []int
	}{
		"tenant":  {audit.Filter{Tenant: "t1"}, []int{0, 1}},
		"actor":   {audit.Filter{Actor: "a1"}, []int{0, 2, 3}},
		"exact":   {audit.Filter{Action: "keys"}, []int{2}},
		"prefix":  {audit.Filter{Action: "key.*"}, []int{0, 1}},
		"percent": {audit.Filter{Action: "key%*"}, []int{3}},
		"target":  {audit.Filter{Target: "x", Tenant: "t2"}, []int{2, 3}},
		"person":  {audit.Filter{Person: "p"}, []int{1}},
		"outcome": {audit.Filter{Outcome: audit.Failed}, []int{2}},
		"times":   {audit.Filter{Since: whole.Add(time.Second), Until: whole.Add(3 * time.Second)}, []int{1, 2}},
		"after":   {audit.Filter{Since: whole, Until: whole.Add(time.Minute), After: all[0].Number, Limit: 2}, []int{1, 2}},
		"newest":  {audit.Filter{Since: whole, Until: whole.Add(time.Minute), Newest: true, After: all[3].Number, Limit: 2}, []int{2, 1}},
		"nothing": {audit.Filter{Tenant: "t3"}, nil},
	} {
		rows, err := w.Events(ctx, c.f)
		ok(t, err)
		var want, got []string
		for _, i := range c.want {
			want = append(want, fmt.Sprint("aud_", i))
		}
		for _, r := range rows {
			got = append(got, r.ID)
		}
		same(t, name, got, want)
	}
}

// seals chains all that waits after tip.
func (w *world) seals(t testing.TB, tip audit.Link, atMost int) ([]audit.Seal, audit.Link) {
	t.Helper()
	rows, err := w.UnsealedEvents(t.Context(), atMost)
	ok(t, err)
	var seals []audit.Seal
	for _, r := range rows {
		tip = audit.Link{Seq: tip.Seq + 1, Hash: []byte(fmt.Sprint("hash of ", r.ID))}
		seals = append(seals, audit.Seal{Number: r.Number, Link: tip})
	}
	return seals, tip
}

func auditChain(t *testing.T, w *world) {
	ctx := t.Context()
	for i := range 5 {
		ok(t, w.AppendEvents(ctx, []audit.Event{{ID: fmt.Sprint("aud_", i), Action: "x"}}))
	}
	tip, err := w.Tip(ctx)
	ok(t, err)
	same(t, "empty chain", tip, audit.Link{})
	seals, next := w.seals(t, tip, 3)
	ok(t, w.SealEvents(ctx, tip, seals))
	got, err := w.Tip(ctx)
	ok(t, err)
	same(t, "tip", got, next)
	for _, stale := range []audit.Link{tip, {Seq: 3, Hash: []byte("another")}, {Seq: 2, Hash: next.Hash}} {
		waiting, _ := w.seals(t, stale, 2)
		fails(t, "sealed from another tip", w.SealEvents(ctx, stale, waiting), audit.ErrMoved)
	}
	fails(t, "a sealed row again", w.SealEvents(ctx, next, seals), audit.ErrMoved)
	got, err = w.Tip(ctx)
	ok(t, err)
	same(t, "tip after refusals", got, next)
	ok(t, w.SealEvents(ctx, next, nil))

	more, last := w.seals(t, next, 1000)
	ok(t, w.SealEvents(ctx, next, more))
	rows, err := w.ChainedEvents(ctx, 1, 1000)
	ok(t, err)
	all := append(seals, more...)
	if len(rows) != len(all)-1 {
		t.Fatalf("%d rows in the chain after the first, want %d", len(rows), len(all)-1)
	}
	for i, r := range rows {
		same(t, "seal", audit.Seal{Number: r.Number, Link: audit.Link{Seq: r.Seq, Hash: r.Hash}}, all[i+1])
	}
	if rows, _ := w.UnsealedEvents(ctx, 10); len(rows) != 0 {
		t.Errorf("still unsealed: %+v", rows)
	}

	h := audit.Head{Link: last, At: whole, Node: "nod", Key: "key_1", Signature: []byte("sig")}
	ok(t, w.AddHead(ctx, h))
	twice := h
	twice.Node = "late"
	ok(t, w.AddHead(ctx, twice))
	heads, err := w.Heads(ctx, 0, 10)
	ok(t, err)
	same(t, "heads", heads, []audit.Head{h})
	heads, err = w.Heads(ctx, last.Seq, 10)
	ok(t, err)
	same(t, "heads after it", heads, []audit.Head{})
}

// auditChainRace: several sealers at once, whose leases went wrong, make one
// chain in which each place is taken once.
func auditChainRace(t *testing.T, w *world) {
	ctx := t.Context()
	const sealers, events = 6, 60
	errs := together(sealers+1, func(i int) error {
		if i == sealers {
			for n := range events {
				if err := w.AppendEvents(ctx, []audit.Event{{ID: fmt.Sprint("aud_", n), Action: "x"}}); err != nil {
					return err
				}
			}
			return nil
		}
		for range 40 {
			tip, err := w.Tip(ctx)
			if err != nil {
				return err
			}
			seals, _ := w.seals(t, tip, 5)
			if err := w.SealEvents(ctx, tip, seals); err != nil && !errors.Is(err, audit.ErrMoved) {
				return err
			}
		}
		return nil
	})
	for _, err := range errs {
		ok(t, err)
	}
	tip, err := w.Tip(ctx)
	ok(t, err)
	rows, err := w.ChainedEvents(ctx, 0, 1000)
	ok(t, err)
	if len(rows) == 0 || int64(len(rows)) != tip.Seq {
		t.Errorf("%d rows in the chain, tip is %d", len(rows), tip.Seq)
	}
	for i, r := range rows {
		if r.Seq != int64(i+1) {
			t.Fatalf("place %d follows %d", r.Seq, i)
		}
	}
}

func auditTrim(t *testing.T, w *world) {
	ctx := t.Context()
	for i := range 6 {
		ok(t, w.AppendEvents(ctx, []audit.Event{{ID: fmt.Sprint("aud_", i), Action: "x"}}))
	}
	seals, tip := w.seals(t, audit.Link{}, 1000)
	ok(t, w.SealEvents(ctx, audit.Link{}, seals))
	cut := seals[3].Link
	for _, l := range []audit.Link{seals[1].Link, cut, tip} {
		ok(t, w.AddHead(ctx, audit.Head{Link: l, At: whole, Signature: []byte("s")}))
	}
	w.unrecorded(t, "without a head there", audit.ErrMoved, func() error {
		_, err := w.TrimEvents(ctx, seals[2].Link, event("audit.trim"))
		return err
	})
	w.unrecorded(t, "with another hash", audit.ErrMoved, func() error {
		_, err := w.TrimEvents(ctx, audit.Link{Seq: cut.Seq, Hash: []byte("no")}, event("audit.trim"))
		return err
	})
	n, err := w.TrimEvents(ctx, cut, event("audit.trim"))
	if err != nil || n != 4 {
		t.Errorf("trimmed %d, %v", n, err)
	}
	rows, err := w.ChainedEvents(ctx, 0, 1000)
	ok(t, err)
	if len(rows) == 0 || rows[0].Seq != 5 {
		t.Errorf("chain begins with %+v", rows)
	}
	heads, err := w.Heads(ctx, 0, 10)
	ok(t, err)
	if len(heads) != 2 || heads[0].Seq != cut.Seq {
		t.Errorf("heads = %+v", heads)
	}
	waiting, err := w.UnsealedEvents(ctx, 10)
	ok(t, err)
	if len(waiting) != 1 || waiting[0].Action != "audit.trim" {
		t.Errorf("unsealed = %+v", waiting)
	}
	if got, _ := w.Tip(ctx); got.Seq != tip.Seq {
		t.Errorf("the tip moved to %d", got.Seq)
	}
}

func leases(t *testing.T, w *world) {
	ctx := t.Context()
	acquire := func(holder string, ttl time.Duration) bool {
		t.Helper()
		got, err := w.AcquireLease(ctx, "sealer", holder, ttl)
		ok(t, err)
		return got
	}
	if !acquire("a", time.Minute) || !acquire("a", time.Hour) {
		t.Error("not given, or not renewed")
	}
	if acquire("b", time.Minute) {
		t.Error("given to a second")
	}
	w.sql(t, `UPDATE lease SET expires = expires - 3600000001`)
	if !acquire("b", time.Minute) {
		t.Error("not given after it ended")
	}
	ok(t, w.ReleaseLease(ctx, "sealer", "a")) // not a's any more
	if acquire("a", time.Minute) {
		t.Error("given while held")
	}
	ok(t, w.ReleaseLease(ctx, "sealer", "b"))
	if !acquire("a", time.Minute) {
		t.Error("not given after the release")
	}
}

func leasesRace(t *testing.T, w *world) {
	given := 0
	for _, got := range together(20, func(i int) bool {
		got, err := w.AcquireLease(t.Context(), "raced", fmt.Sprint("holder ", i), time.Minute)
		if err != nil {
			t.Error(err)
		}
		return got
	}) {
		if got {
			given++
		}
	}
	if given != 1 {
		t.Errorf("%d of 20 hold the lease", given)
	}
}
