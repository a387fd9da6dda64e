package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/store"
	"gatehouse.dev/internal/store/sqlite"
)

// crashSeconds is how long the test goes on killing: short unless asked.
func crashSeconds(t *testing.T) time.Duration {
	v := os.Getenv("GATEHOUSE_CRASH_SECONDS")
	if v == "" {
		return 3 * time.Second
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		t.Fatalf("GATEHOUSE_CRASH_SECONDS: %v", err)
	}
	return time.Duration(n) * time.Second
}

// TestKilled kills a process that writes as fast as it can, again and again,
// on one database. Whatever it had been told was written must be there.
func TestKilled(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	if err := withThings(t, sqlite.Config{Path: path}).Close(); err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	rounds := 0
	for end := time.Now().Add(crashSeconds(t)); rounds < 2 || time.Now().Before(end); rounds++ {
		before := len(told)
		killOnce(t, path, told)
		if len(told) == before {
			t.Fatal("the process was told nothing, so killing it tested nothing")
		}
		checkTold(t, path, told)
	}
	t.Logf("killed %d times, %d acknowledged writes", rounds, len(told))
}

// killOnce runs the writer for a while and adds what it was told.
func killOnce(t *testing.T, path string, told map[string]bool) {
	t.Helper()
	cmd := child(t, "write until killed", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var kill *time.Timer
	for lines.Scan() {
		if kill == nil { // the clock runs from the first acknowledgement
			kill = time.AfterFunc(time.Duration(rand.IntN(300))*time.Millisecond, func() { cmd.Process.Kill() })
		}
		told[lines.Text()] = true
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != -1 {
		t.Fatalf("the writer ended by itself: %v", cmd.ProcessState)
	}
}

// checkTold opens the database as the next process would.
func checkTold(t *testing.T, path string, told map[string]bool) {
	t.Helper()
	e, err := sqlite.Open(t.Context(), sqlite.Config{Path: path})
	if err != nil {
		t.Fatalf("after a kill: %v", err)
	}
	defer e.Close()
	there := map[string]bool{}
	var verdict string
	err = e.Read(t.Context(), func(q store.Querier) error {
		if err := q.QueryRowContext(t.Context(), `PRAGMA integrity_check`).Scan(&verdict); err != nil {
			return err
		}
		rows, err := q.QueryContext(t.Context(), `SELECT 'thing ' || id FROM thing UNION ALL SELECT 'number ' || n FROM revocation`)
		ids, err := store.Collect(rows, err, func(r store.Row, s *string) error { return r.Scan(s) })
		for _, id := range ids {
			there[id] = true
		}
		return err
	})
	if err != nil || verdict != "ok" {
		t.Fatalf("after a kill: %v, integrity %q", err, verdict)
	}
	for what := range told {
		if !there[what] {
			t.Fatalf("%s was acknowledged and is gone", what)
		}
	}
	for what := range there {
		// Neither half of a transaction is ever there without the other.
		if id, ok := strings.CutPrefix(what, "thing "); ok && strings.HasSuffix(id, "a") && !there["thing "+strings.TrimSuffix(id, "a")+"b"] {
			t.Fatalf("half of the transaction of %s is there", what)
		}
	}
	var head int64
	b, err := store.New(e).RevocationsSince(t.Context(), 0, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range b.Entries {
		if head++; r.N != head {
			t.Fatalf("revocation %d follows %d", r.N, head-1)
		}
	}
	if head != b.Head {
		t.Fatalf("the log ends at %d, its head says %d", head, b.Head)
	}
}

// writeUntilKilled is the process that is killed. It prints what it was told
// has been written.
func writeUntilKilled(path string) error {
	ctx := context.Background()
	e, err := sqlite.Open(ctx, sqlite.Config{Path: path})
	if err != nil {
		return err
	}
	s := store.New(e)
	failed := make(chan error)
	for range 16 {
		go func() {
			for {
				id := strconv.FormatUint(rand.Uint64(), 36)
				err := e.Write(ctx, func(q store.Querier) error {
					for _, half := range []string{"a", "b"} {
						if _, err := q.ExecContext(ctx, insertThing, id+half, 1); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					failed <- err
				}
				fmt.Printf("thing %sa\n", id)
				n, err := s.Revoke(ctx, revocation.Entry{Effect: revocation.End, Grounds: []revocation.Ground{{Kind: revocation.Conn, ID: id}}})
				if err != nil {
					failed <- err
				}
				fmt.Printf("number %d\n", n)
			}
		}()
	}
	return <-failed
}
