package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/store"
	"gatehouse.dev/internal/store/pgtest"
	"gatehouse.dev/internal/store/postgres"
)

// admin is a connection beside the engine, for what happens to it.
func admin(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func openAt(t *testing.T, url string, c postgres.Config) *postgres.Engine {
	t.Helper()
	c.URL = secret.New(url)
	e, err := postgres.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func execute(ctx context.Context, e store.Engine, query string, args ...any) error {
	return e.Write(ctx, func(q store.Querier) error {
		_, err := q.ExecContext(ctx, query, args...)
		return err
	})
}

// Every column of text is compared bytewise, whatever the database's collation.
func TestColumnsAreBytewise(t *testing.T) {
	t.Parallel()
	c := admin(t, pgtest.URL(t))
	rows, err := c.Query(t.Context(), `
		SELECT table_name || '.' || column_name FROM information_schema.columns
		WHERE table_schema = 'public' AND table_name NOT LIKE 'schema\_version%' AND data_type IN ('text', 'character varying')
			AND collation_name IS DISTINCT FROM 'C'`)
	if err != nil {
		t.Fatal(err)
	}
	loose, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	if len(loose) > 0 {
		t.Errorf(`not COLLATE "C": %s`, strings.Join(loose, ", "))
	}
	var all int
	if err := c.QueryRow(t.Context(), `SELECT COUNT(*) FROM information_schema.columns WHERE collation_name = 'C'`).Scan(&all); err != nil || all < 50 {
		t.Errorf("only %d bytewise columns, %v: the query above sees nothing", all, err)
	}
}

// Two that lock the same rows crosswise: the server ends one of them, and it is
// run again.
func TestDeadlockIsRetried(t *testing.T) {
	t.Parallel()
	e := pgtest.Open(t)
	if err := execute(t.Context(), e, `CREATE TABLE pair (id TEXT PRIMARY KEY, n BIGINT NOT NULL)`); err != nil {
		t.Fatal(err)
	}
	if err := execute(t.Context(), e, `INSERT INTO pair VALUES ('a', 0), ('b', 0)`); err != nil {
		t.Fatal(err)
	}
	var meet sync.WaitGroup
	meet.Add(2)
	var wg sync.WaitGroup
	var mu sync.Mutex
	runs := 0
	for _, order := range [][2]string{{"a", "b"}, {"b", "a"}} {
		wg.Go(func() {
			first := true
			err := e.Write(t.Context(), func(q store.Querier) error {
				mu.Lock()
				runs++
				mu.Unlock()
				for i, id := range order {
					if _, err := q.ExecContext(t.Context(), `UPDATE pair SET n = n + 1 WHERE id = $1`, id); err != nil {
						return err
					}
					if i == 0 && first {
						first = false
						meet.Done()
						meet.Wait()
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	// Where both look for a deadlock at the same moment, both may find it.
	if runs != 3 && runs != 4 {
		t.Errorf("%d runs, want 3: one of the two again; or 4: both", runs)
	}
	var n int64
	if err := e.Read(t.Context(), func(q store.Querier) error {
		return q.QueryRowContext(t.Context(), `SELECT SUM(n)::bigint FROM pair`).Scan(&n)
	}); err != nil || n != 4 {
		t.Errorf("sum = %d, %v; want 4", n, err)
	}
}

// The server's own words for what it cannot do now.
func TestServerErrors(t *testing.T) {
	t.Parallel()
	e := pgtest.Open(t)
	for code, want := range map[string]error{
		"53100": store.ErrUnavailable, // disk full
		"53300": store.ErrUnavailable, // too many connections
		"58030": store.ErrUnavailable, // I/O error
		"57P01": store.ErrUnavailable, // shutting down
		"55P03": store.ErrUnavailable, // lock not available
		"40001": store.ErrUnavailable, // still, after all attempts
		"25006": store.ErrUnavailable, // became a replica
		"23505": store.ErrConflict,
		"23503": store.ErrReference,
	} {
		err := execute(t.Context(), e, fmt.Sprintf(`DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '%s'; END $$`, code))
		if !errors.Is(err, want) {
			t.Errorf("%s: err = %v, want %v", code, err, want)
		}
	}
	err := execute(t.Context(), e, `DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '22012'; END $$`)
	if err == nil || errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrConflict) {
		t.Errorf("division by zero: %v, want no kind", err)
	}
}

func TestConnectionLost(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	e, other := openAt(t, url, postgres.Config{MaxConns: 1}), admin(t, url)
	err := e.Write(t.Context(), func(q store.Querier) error {
		var pid int64
		if err := q.QueryRowContext(t.Context(), `SELECT pg_backend_pid()`).Scan(&pid); err != nil {
			return err
		}
		if _, err := other.Exec(t.Context(), `SELECT pg_terminate_backend($1)`, pid); err != nil {
			t.Error(err)
		}
		_, err := q.ExecContext(t.Context(), `SELECT pg_sleep(10)`)
		return err
	})
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("in a transaction: %v, want ErrUnavailable", err)
	}
	// One that was lost while idle is replaced without anybody noticing.
	for range 3 {
		if _, err := e.Now(t.Context()); err != nil {
			t.Fatalf("after the loss: %v", err)
		}
		if _, err := other.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE application_name = 'gatehouse' AND datname = current_database()`); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err := execute(t.Context(), e, `UPDATE tenant SET enabled = TRUE`); err != nil {
		t.Errorf("a write on a connection that was lost while idle: %v", err)
	}

	nowhere := openFails(t, "host=/nonexistent user=u password=hunter2 dbname=d")
	if !errors.Is(nowhere, store.ErrUnavailable) {
		t.Errorf("no server: %v, want ErrUnavailable", nowhere)
	}
	for _, err := range []error{nowhere, openFails(t, "postgres://u:hunter2@[::bad"), openFails(t, "hunter2")} {
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the password is in the error: %v", err)
		}
	}
}

func openFails(t *testing.T, url string) error {
	t.Helper()
	e, err := postgres.Open(t.Context(), postgres.Config{URL: secret.New(url)})
	if err == nil {
		e.Close()
		t.Fatalf("opened %s", url)
	}
	return err
}

func TestOtherEncodingIsRefused(t *testing.T) {
	t.Parallel()
	url := pgtest.Blank(t)
	c := admin(t, url)
	if _, err := c.Exec(t.Context(), `CREATE DATABASE latin ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0`); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Exec(context.Background(), `DROP DATABASE latin WITH (FORCE)`) })
	_, name, _ := strings.Cut(url, "dbname=")
	name, _, _ = strings.Cut(name, " ")
	err := openFails(t, strings.Replace(url, "dbname="+name, "dbname=latin", 1))
	if !strings.Contains(err.Error(), "LATIN1") || !strings.Contains(err.Error(), "UTF8") {
		t.Errorf("err = %v, want one that names both encodings", err)
	}
}

// A listener whose connection is lost listens again, and assumes that it has
// missed something.
func TestListenAgain(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	e, other := openAt(t, url, postgres.Config{}), admin(t, url)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	calls := make(chan struct{}, 100)
	go e.Listen(ctx, "here", func() { calls <- struct{}{} })
	<-calls
	const listeners = `FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()`
	if _, err := other.Exec(t.Context(), `SELECT pg_terminate_backend(pid) `+listeners); err != nil {
		t.Fatal(err)
	}
	select {
	case <-calls:
	case <-time.After(20 * time.Second):
		t.Fatal("not told after the loss")
	}
	if err := e.Write(t.Context(), func(q store.Querier) error { return e.Notify(t.Context(), q, "here") }); err != nil {
		t.Fatal(err)
	}
	select {
	case <-calls:
	case <-time.After(20 * time.Second):
		t.Fatal("not notified on the new connection")
	}
}

// Nodes that start together migrate an empty database once.
func TestMigrateTogether(t *testing.T) {
	t.Parallel()
	url := pgtest.Blank(t)
	var nodes []*postgres.Engine
	for range 4 {
		nodes = append(nodes, openAt(t, url, postgres.Config{MaxConns: 4}))
	}
	var wg, ready sync.WaitGroup
	ready.Add(len(nodes))
	for _, e := range nodes {
		wg.Go(func() {
			ready.Done()
			ready.Wait()
			if err := e.Migrate(t.Context()); err != nil {
				t.Error(err)
			}
			if v, err := e.Version(t.Context()); err != nil || !v.Current() {
				t.Errorf("version %+v, %v", v, err)
			}
		})
	}
	wg.Wait()
}

// A caller that hangs up between the last statement and the commit either has
// everything or nothing, and knows which.
func TestCancelBeforeCommit(t *testing.T) {
	t.Parallel()
	e := pgtest.Open(t)
	if err := execute(t.Context(), e, `CREATE TABLE thing (id TEXT PRIMARY KEY)`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := e.Write(ctx, func(q store.Querier) error {
		_, err := q.ExecContext(ctx, `INSERT INTO thing VALUES ('a')`)
		cancel()
		return err
	})
	var n int
	if err := e.Read(t.Context(), func(q store.Querier) error {
		return q.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM thing`).Scan(&n)
	}); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, context.Canceled) || n != 0 {
		t.Errorf("Write = %v, and %d rows are there", err, n)
	}
}
