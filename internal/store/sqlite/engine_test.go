package sqlite_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse.dev/internal/seal"
	"gatehouse.dev/internal/store"
	"gatehouse.dev/internal/store/sqlite"
)

const (
	createThing = `CREATE TABLE thing (id TEXT PRIMARY KEY, n BIGINT NOT NULL, pad BLOB) STRICT`
	insertThing = `INSERT INTO thing (id, n) VALUES ($1, $2)`
)

func execute(ctx context.Context, e store.Engine, query string, args ...any) error {
	return e.Write(ctx, func(q store.Querier) error {
		_, err := q.ExecContext(ctx, query, args...)
		return err
	})
}

func mustExec(t testing.TB, e store.Engine, query string, args ...any) {
	t.Helper()
	if err := execute(t.Context(), e, query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func count(t testing.TB, e store.Engine, table string) (n int) {
	t.Helper()
	err := e.Read(t.Context(), func(q store.Querier) error {
		return q.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM `+table).Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// withThings is an engine with the table of these tests.
func withThings(t testing.TB, c sqlite.Config) *sqlite.Engine {
	e := open(t, c)
	mustExec(t, e, strings.ReplaceAll(createThing, "BIGINT", "INTEGER"))
	return e
}

func TestFolderIsLocked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := open(t, sqlite.Config{Path: filepath.Join(dir, "gatehouse.db")})
	_, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(dir, "other.db")})
	if !errors.Is(err, sqlite.ErrLocked) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("second Open = %v, want ErrLocked naming process %d", err, os.Getpid())
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(dir, "gatehouse.db")})
	if err != nil {
		t.Fatalf("after Close: %v", err)
	}
	again.Close()
}

func TestFilesArePrivate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(dir, "gatehouse.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is readable by others: %v", f.Name(), info.Mode())
		}
	}
}

// A function that calls runtime.Goexit (as t.Fatal does) must not take the
// writer with it.
func TestWriterSurvivesGoexit(t *testing.T) {
	t.Parallel()
	e := withThings(t, sqlite.Config{})
	err := e.Write(t.Context(), func(q store.Querier) error {
		q.ExecContext(t.Context(), insertThing, "lost", 1)
		runtime.Goexit()
		return nil
	})
	var p *store.PanicError
	if !errors.As(err, &p) {
		t.Errorf("err = %v, want a PanicError", err)
	}
	mustExec(t, e, insertThing, "kept", 1)
	if n := count(t, e, "thing"); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

// Operations that were waiting when the engine is closed are still done.
func TestCloseFinishesTheQueue(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	e := withThings(t, sqlite.Config{Path: path})
	hold, held := make(chan struct{}), make(chan struct{})
	go e.Write(t.Context(), func(store.Querier) error { close(held); <-hold; return nil })
	<-held
	const waiting = 50
	errs := make(chan error, waiting)
	for i := range waiting {
		go func() { errs <- execute(t.Context(), e, insertThing, fmt.Sprint(i), i) }()
	}
	for e.Stats().Queued < waiting {
		time.Sleep(time.Millisecond)
	}
	closed := make(chan error, 1)
	go func() { closed <- e.Close() }()
	close(hold)
	for range waiting {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("log after Close: %v", err)
	}
	if n := count(t, open(t, sqlite.Config{Path: path}), "thing"); n != waiting {
		t.Errorf("%d rows after Close, want %d", n, waiting)
	}
}

// A caller whose time is up leaves the queue, and its operation is not run.
func TestDeadlineInTheQueue(t *testing.T) {
	t.Parallel()
	e := withThings(t, sqlite.Config{Queue: 1})
	hold, held := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- e.Write(t.Context(), func(store.Querier) error { close(held); <-hold; return nil })
	}()
	<-held
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	for _, what := range []string{"queued", "before a full queue"} {
		err := execute(ctx, e, insertThing, what, 1)
		if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: err = %v", what, err)
		}
	}
	close(hold)
	if err := <-done; err != nil {
		t.Error(err)
	}
	mustExec(t, e, insertThing, "kept", 1)
	if n := count(t, e, "thing"); n != 1 {
		t.Errorf("%d rows, want 1: an abandoned operation was run", n)
	}
}

// A caller that hangs up while its operation is being run does not stop it.
func TestCancelWhileRunning(t *testing.T) {
	t.Parallel()
	e := withThings(t, sqlite.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	err := e.Write(ctx, func(q store.Querier) error {
		cancel()
		_, err := q.ExecContext(ctx, insertThing, "a", 1)
		return err
	})
	// An interrupted statement would have taken the whole batch with it.
	if n := count(t, e, "thing"); err != nil || n != 1 {
		t.Errorf("Write = %v, and there are %d rows", err, n)
	}
}

// The writer gives one fsync to many callers.
func TestWritesShareCommits(t *testing.T) {
	t.Parallel()
	e := withThings(t, sqlite.Config{})
	hold, held := make(chan struct{}), make(chan struct{})
	go e.Write(t.Context(), func(store.Querier) error { close(held); <-hold; return nil })
	<-held
	const callers = 60
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			if err := execute(t.Context(), e, insertThing, fmt.Sprint(i), i); err != nil {
				t.Error(err)
			}
		})
	}
	for e.Stats().Queued < callers {
		time.Sleep(time.Millisecond)
	}
	before := e.Stats().Commits
	close(hold)
	wg.Wait()
	if got := e.Stats().Commits - before; got > 3 {
		t.Errorf("%d callers took %d commits", callers, got)
	}
}

// When SQLite throws away the whole transaction, the neighbours of the
// operation that caused it are run again.
func TestLostBatch(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	e := withThings(t, sqlite.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	hold, held := make(chan struct{}), make(chan struct{})
	go e.Write(t.Context(), func(store.Querier) error { close(held); <-hold; return nil })
	<-held
	const callers = 9
	errs := make([]error, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			errs[i] = e.Write(t.Context(), func(q store.Querier) error {
				if _, err := q.ExecContext(t.Context(), insertThing, fmt.Sprint(i), i); err != nil {
					return err
				}
				if i == 4 { // what a full disk does, without one
					_, err := q.ExecContext(t.Context(), `INSERT OR ROLLBACK INTO thing (id, n) VALUES ('4', 4)`)
					return err
				}
				return nil
			})
		})
	}
	for e.Stats().Queued < callers {
		time.Sleep(time.Millisecond)
	}
	close(hold)
	wg.Wait()
	for i, err := range errs {
		if i == 4 != errors.Is(err, store.ErrConflict) {
			t.Errorf("operation %d: %v", i, err)
		}
	}
	if n := count(t, e, "thing"); n != callers-1 {
		t.Errorf("%d rows, want %d", n, callers-1)
	}
	if !strings.Contains(log.String(), "write batch lost") {
		t.Errorf("no batch was lost, so this tested nothing: %s", log.String())
	}
}

// The log file does not grow without end where there is always some reader, so
// that SQLite's own checkpoints never find the moment to start it again.
func TestLogStaysSmall(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	e := withThings(t, sqlite.Config{Path: path})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				e.Read(ctx, func(q store.Querier) error {
					var n int
					err := q.QueryRowContext(ctx, `SELECT COUNT(*) FROM thing`).Scan(&n)
					time.Sleep(10 * time.Millisecond)
					return err
				})
			}
		})
	}
	pad := make([]byte, 64<<10)
	for i := range 1100 { // 70 MB through the log
		for j := 0; j < len(pad); j += 512 {
			binary.BigEndian.PutUint64(pad[j:], uint64(i)) // an unchanged page would not be written
		}
		mustExec(t, e, `INSERT INTO thing (id, n, pad) VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET pad = excluded.pad`, fmt.Sprint(i%20), i, pad)
	}
	cancel()
	wg.Wait()
	info, err := os.Stat(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("log at the end: %d KiB", info.Size()>>10)
	if info.Size() > 48<<20 {
		t.Errorf("the log has grown to %d MiB", info.Size()>>20)
	}
}

// What the promises of durability and erasure rest on.
func TestSettings(t *testing.T) {
	t.Parallel()
	e := withThings(t, sqlite.Config{})
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "secure_delete": "1"} {
		var got string
		err := e.Write(t.Context(), func(q store.Querier) error {
			return q.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got)
		})
		if err != nil || got != want {
			t.Errorf("%s = %q, %v; want %q", pragma, got, err, want)
		}
	}
}

// An erased key is not left lying in the file.
func TestErasedIsOverwritten(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	s := store.New(open(t, sqlite.Config{Path: path}))
	box := []byte("the wrapped key that must go")
	k := seal.WrappedKey{ID: "dek_1", Scope: seal.Scope{Tenant: "t", Purpose: seal.People, Person: "p"}, Version: 1, Box: bytes.Repeat(box, 30)}
	if _, err := s.AddSealKey(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	inFile := func() bool {
		var all []byte
		for _, suffix := range []string{"", "-wal"} {
			b, err := os.ReadFile(path + suffix)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			all = append(all, b...)
		}
		return bytes.Contains(all, box)
	}
	if !inFile() {
		t.Fatal("the key was never in the file, so this tests nothing")
	}
	if err := s.EraseSealKeys(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if inFile() {
		t.Error("the erased key is still in the file")
	}
}

// A reader that takes too long is ended: the log cannot be emptied past it.
func TestReadLimit(t *testing.T) {
	t.Parallel()
	e := withThings(t, sqlite.Config{ReadLimit: 50 * time.Millisecond, Readers: 1})
	for range 2 { // and its connection is of use to the next
		began := time.Now()
		err := e.Read(t.Context(), func(q store.Querier) error {
			var n int64
			return q.QueryRowContext(t.Context(), `
				WITH RECURSIVE forever (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM forever) SELECT COUNT(*) FROM forever`).Scan(&n)
		})
		if !errors.Is(err, store.ErrUnavailable) || time.Since(began) > 20*time.Second {
			t.Errorf("Read = %v after %v", err, time.Since(began))
		}
		if n := count(t, e, "thing"); n != 0 {
			t.Error(n)
		}
	}
}
