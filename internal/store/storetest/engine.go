package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"gatehouse.dev/internal/store"
)

// Engines runs the suite for engines. Each call of open returns a migrated,
// empty engine that is closed when the test ends.
func Engines(t *testing.T, open func(testing.TB) store.Engine) {
	for name, test := range map[string]func(*testing.T, store.Engine){
		"WriteThenRead":           writeThenRead,
		"FailedWriteLeavesNone":   failedWriteLeavesNone,
		"FailedStatementIsFinal":  failedStatementIsFinal,
		"PanicIsContained":        panicIsContained,
		"QuerierEndsWithItsTx":    querierEndsWithItsTx,
		"ErrorKinds":              errorKinds,
		"TextsAreRefused":         textsAreRefused,
		"TextIsBytewise":          textIsBytewise,
		"ReadIsASnapshot":         readIsASnapshot,
		"ReadCannotWrite":         readCannotWrite,
		"OneStatementInvariant":   oneStatementInvariant,
		"FailingNeighbours":       failingNeighbours,
		"WithdrawnBeforeItBegan":  withdrawnBeforeItBegan,
		"NotifyAfterCommit":       notifyAfterCommit,
		"ClockMoves":              clockMoves,
		"ClosedIsUnavailable":     closedIsUnavailable,
		"MigratingTwiceIsNothing": migratingTwiceIsNothing,
		"TooNewIsRefused":         tooNewIsRefused,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := open(t)
			// "BLOB" and "BYTEA" are DDL words; the tests here need none.
			exec(t, e, `CREATE TABLE thing (id TEXT NOT NULL PRIMARY KEY, n BIGINT NOT NULL, of TEXT REFERENCES thing (id))`)
			test(t, e)
		})
	}
}

func exec(t testing.TB, e store.Engine, query string, args ...any) {
	t.Helper()
	err := e.Write(t.Context(), func(q store.Querier) error {
		_, err := q.ExecContext(t.Context(), query, args...)
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// number reads one number in a Read of its own.
func number(t testing.TB, e store.Engine, query string, args ...any) (n int64) {
	t.Helper()
	err := e.Read(t.Context(), func(q store.Querier) error {
		return q.QueryRowContext(t.Context(), query, args...).Scan(&n)
	})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

const (
	insertThing = `INSERT INTO thing (id, n) VALUES ($1, $2)`
	countThings = `SELECT COUNT(*) FROM thing`
)

func writeThenRead(t *testing.T, e store.Engine) {
	for i := range 20 {
		exec(t, e, insertThing, fmt.Sprint(i), i)
		if n := number(t, e, countThings); n != int64(i+1) {
			t.Fatalf("after %d answered writes a read sees %d rows", i+1, n)
		}
	}
}

func failedWriteLeavesNone(t *testing.T, e store.Engine) {
	mine := errors.New("mine")
	err := e.Write(t.Context(), func(q store.Querier) error {
		if _, err := q.ExecContext(t.Context(), insertThing, "a", 1); err != nil {
			return err
		}
		return mine
	})
	if !errors.Is(err, mine) {
		t.Errorf("err = %v, want the function's own", err)
	}
	if n := number(t, e, countThings); n != 0 {
		t.Errorf("%d rows kept of a failed write", n)
	}
}

func failedStatementIsFinal(t *testing.T, e store.Engine) {
	exec(t, e, insertThing, "a", 1)
	var after error
	err := e.Write(t.Context(), func(q store.Querier) error {
		q.ExecContext(t.Context(), insertThing, "b", 1)
		q.ExecContext(t.Context(), insertThing, "a", 1) // fails, and is swallowed
		_, after = q.ExecContext(t.Context(), insertThing, "c", 1)
		return nil
	})
	if !errors.Is(err, store.ErrConflict) {
		t.Errorf("Write = %v, want the conflict that was swallowed", err)
	}
	if after == nil {
		t.Error("a statement after the failed one was accepted")
	}
	if n := number(t, e, countThings); n != 1 {
		t.Errorf("%d rows, want 1: the write failed as a whole", n)
	}
}

func panicIsContained(t *testing.T, e store.Engine) {
	for name, run := range map[string]func(context.Context, func(store.Querier) error) error{"Write": e.Write, "Read": e.Read} {
		err := run(t.Context(), func(q store.Querier) error {
			if name == "Write" {
				q.ExecContext(t.Context(), insertThing, "a", 1)
			}
			panic("boo")
		})
		var p *store.PanicError
		if !errors.As(err, &p) || p.Value != "boo" || len(p.Stack) == 0 {
			t.Errorf("%s: err = %v, want a PanicError with value and stack", name, err)
		}
	}
	exec(t, e, insertThing, "b", 1) // the engine goes on
	if n := number(t, e, countThings); n != 1 {
		t.Errorf("%d rows, want 1: the panicked write left something", n)
	}
}

func querierEndsWithItsTx(t *testing.T, e store.Engine) {
	var kept store.Querier
	if err := e.Write(t.Context(), func(q store.Querier) error { kept = q; return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := kept.ExecContext(t.Context(), insertThing, "late", 1); err == nil {
		t.Error("a querier worked after its transaction")
	}
	if err := kept.QueryRowContext(t.Context(), countThings).Scan(new(int)); err == nil {
		t.Error("a querier read after its transaction")
	}
}

func errorKinds(t *testing.T, e store.Engine) {
	exec(t, e, insertThing, "a", 1)
	scan := func(query string, args ...any) func(store.Querier) error {
		return func(q store.Querier) error {
			var n int64
			return q.QueryRowContext(t.Context(), query, args...).Scan(&n)
		}
	}
	for name, c := range map[string]struct {
		fn   func(store.Querier) error
		want error
	}{
		"NoRow":     {scan(`SELECT n FROM thing WHERE id = $1`, "none"), store.ErrNotFound},
		"Unique":    {scan(insertThing+` RETURNING n`, "a", 2), store.ErrConflict},
		"Reference": {scan(`INSERT INTO thing (id, n, of) VALUES ($1, 1, $2) RETURNING n`, "b", "none"), store.ErrReference},
	} {
		if err := e.Write(t.Context(), c.fn); !errors.Is(err, c.want) {
			t.Errorf("%s: err = %v, want %v", name, err, c.want)
		}
	}
	for _, kind := range []error{store.ErrNotFound, store.ErrConflict, store.ErrReference, store.ErrUnavailable} {
		if err := e.Write(t.Context(), scan(`SELECT nothing FROM nowhere`)); err == nil || errors.Is(err, kind) {
			t.Errorf("a mistake in the SQL: err = %v, want one without kind", err)
		}
	}
}

type name string

func textsAreRefused(t *testing.T, e store.Engine) {
	for _, bad := range []any{"nul\x00", "\xff", name("\xff"), new("a\x00")} {
		err := e.Write(t.Context(), func(q store.Querier) error {
			_, err := q.ExecContext(t.Context(), insertThing, bad, 1)
			return err
		})
		if !errors.Is(err, store.ErrText) {
			t.Errorf("%#v: err = %v, want ErrText", bad, err)
		}
	}
	exec(t, e, insertThing, "grün ☃ \u0001", 1)
}

func textIsBytewise(t *testing.T, e store.Engine) {
	want := []string{"A", "Z", "a", "b", "ä"}
	for i, s := range want {
		exec(t, e, `INSERT INTO tenant (id, number, name, enabled, created) VALUES ($1, $2, $3, TRUE, 0)`, s, i, s)
	}
	var got []string
	err := e.Read(t.Context(), func(q store.Querier) error {
		rows, err := q.QueryContext(t.Context(), `SELECT name FROM tenant ORDER BY name`)
		got, err = store.Collect(rows, err, func(r store.Row, s *string) error { return r.Scan(s) })
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("order = %q, want %q", got, want)
	}
}

func readIsASnapshot(t *testing.T, e store.Engine) {
	err := e.Read(t.Context(), func(q store.Querier) error {
		var before, after int64
		if err := q.QueryRowContext(t.Context(), countThings).Scan(&before); err != nil {
			return err
		}
		exec(t, e, insertThing, "a", 1)
		if err := q.QueryRowContext(t.Context(), countThings).Scan(&after); err != nil {
			return err
		}
		if before != 0 || after != 0 {
			t.Errorf("one read saw %d rows, then %d", before, after)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func readCannotWrite(t *testing.T, e store.Engine) {
	err := e.Read(t.Context(), func(q store.Querier) error {
		_, err := q.ExecContext(t.Context(), insertThing, "a", 1)
		return err
	})
	if err == nil {
		t.Error("a Read wrote")
	}
}

func oneStatementInvariant(t *testing.T, e store.Engine) {
	exec(t, e, insertThing, "counter", 0)
	const callers, each = 20, 10
	got := make(chan int64, callers*each)
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range each {
				var n int64
				err := e.Write(t.Context(), func(q store.Querier) error {
					return q.QueryRowContext(t.Context(), `UPDATE thing SET n = n + 1 WHERE id = 'counter' RETURNING n`).Scan(&n)
				})
				if err != nil {
					t.Error(err)
				}
				got <- n
			}
		})
	}
	wg.Wait()
	close(got)
	seen := map[int64]bool{}
	for n := range got {
		if n < 1 || n > callers*each || seen[n] {
			t.Fatalf("number %d was given twice or is out of range", n)
		}
		seen[n] = true
	}
}

func failingNeighbours(t *testing.T, e store.Engine) {
	exec(t, e, insertThing, "taken", 0)
	const callers = 40
	var wg sync.WaitGroup
	errs := make([]error, callers)
	for i := range callers {
		wg.Go(func() {
			id := fmt.Sprint("free", i)
			if i%2 == 0 {
				id = "taken"
			}
			errs[i] = e.Write(t.Context(), func(q store.Querier) error {
				if _, err := q.ExecContext(t.Context(), insertThing, fmt.Sprint("first", i), i); err != nil {
					return err
				}
				_, err := q.ExecContext(t.Context(), insertThing, id, i)
				return err
			})
		})
	}
	wg.Wait()
	for i, err := range errs {
		if (i%2 == 0) != errors.Is(err, store.ErrConflict) {
			t.Errorf("write %d: %v", i, err)
		}
	}
	if n := number(t, e, countThings); n != 1+callers {
		t.Errorf("%d rows, want %d", n, 1+callers)
	}
}

func withdrawnBeforeItBegan(t *testing.T, e store.Engine) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := e.Write(ctx, func(q store.Querier) error { t.Error("ran"); return nil })
	if !errors.Is(err, context.Canceled) || errors.Is(err, store.ErrUnavailable) {
		t.Errorf("canceled: err = %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 0)
	defer cancel()
	err = e.Read(ctx, func(q store.Querier) error { t.Error("ran"); return nil })
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("deadline: err = %v, want it and ErrUnavailable", err)
	}
}

func notifyAfterCommit(t *testing.T, e store.Engine) {
	ctx, cancel := context.WithCancel(t.Context())
	calls := make(chan struct{}, 100)
	ended := make(chan error, 1)
	go func() { ended <- e.Listen(ctx, "here", func() { calls <- struct{}{} }) }()
	await := func(what string) {
		t.Helper()
		select {
		case <-calls:
		case <-time.After(10 * time.Second):
			t.Fatalf("no call %s", what)
		}
	}
	await("at the start")

	write := func(channel string, result error) {
		t.Helper()
		err := e.Write(t.Context(), func(q store.Querier) error {
			if err := e.Notify(t.Context(), q, channel); err != nil {
				return err
			}
			return result
		})
		if !errors.Is(err, result) {
			t.Fatal(err)
		}
	}
	write("here", errors.New("rolled back"))
	write("elsewhere", nil)
	select {
	case <-calls:
		t.Error("called for a rolled back transaction or another channel")
	case <-time.After(100 * time.Millisecond):
	}
	write("here", nil)
	await("after the commit")
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Listen = %v", err)
	}
}

func clockMoves(t *testing.T, e store.Engine) {
	a, err := e.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Millisecond)
	b, err := e.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !b.After(a) || time.Since(b).Abs() > time.Minute {
		t.Errorf("clock went from %v to %v", a, b)
	}
}

func closedIsUnavailable(t *testing.T, e store.Engine) {
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	none := func(store.Querier) error { return nil }
	if err := e.Write(t.Context(), none); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Write after Close = %v", err)
	}
	if err := e.Read(t.Context(), none); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Read after Close = %v", err)
	}
}

func migratingTwiceIsNothing(t *testing.T, e store.Engine) {
	v, err := e.Version(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !v.Current() || v.Database == 0 || v.Floor == 0 {
		t.Errorf("version = %+v, want a migrated database", v)
	}
	if err := e.Migrate(t.Context()); err != nil {
		t.Error(err)
	}
}

func tooNewIsRefused(t *testing.T, e store.Engine) {
	// A later release has migrated, and still shares with us.
	exec(t, e, `INSERT INTO schema_version (version_id, is_applied) VALUES (9000, TRUE)`)
	if err := e.Migrate(t.Context()); err != nil {
		t.Errorf("newer, but shared: %v", err)
	}
	exec(t, e, `UPDATE schema_floor SET floor = 9000`)
	if err := e.Migrate(t.Context()); !errors.Is(err, store.ErrNewer) {
		t.Errorf("newer than this program: %v, want ErrNewer", err)
	}
}
