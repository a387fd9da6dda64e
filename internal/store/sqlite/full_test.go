package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"gatehouse.dev/internal/store"
	"gatehouse.dev/internal/store/sqlite"
)

// TestDiskFull: what cannot be written is answered with ErrUnavailable, what
// was acknowledged stays, reading goes on, and so does writing once there is
// room again.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	t.Run("PageLimit", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "gatehouse.db")
		e := withThings(t, sqlite.Config{Path: path, MaxPages: 300})
		written, err := fill(t.Context(), e, "full", 8<<10)
		if err != nil {
			t.Fatal(err)
		}
		mustExec(t, e, `DELETE FROM thing WHERE id = 'full 0'`) // makes room
		if err := recovered(t.Context(), e, written-1, 8<<10); err != nil {
			t.Error(err)
		}
	})
	t.Run("FileSizeLimit", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "gatehouse.db")
		withThings(t, sqlite.Config{Path: path}).Close()
		if out, err := child(t, "write without room", path).Output(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	t.Run("SmallFilesystem", func(t *testing.T) {
		dir := t.TempDir()
		if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "gatehouse-test", dir).CombinedOutput(); err != nil {
			// The two above show the same with less; this one has the real error.
			t.Logf("no small filesystem to fill here: %v: %s", err, out)
			return
		}
		t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
		e := withThings(t, sqlite.Config{Path: filepath.Join(dir, "gatehouse.db")})
		ballast := filepath.Join(dir, "ballast")
		if err := os.WriteFile(ballast, make([]byte, 512<<10), 0o600); err != nil {
			t.Fatal(err)
		}
		written, err := fill(t.Context(), e, "full", 16<<10)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		if err := recovered(t.Context(), e, written, 16<<10); err != nil {
			t.Error(err)
		}
	})
}

// fill has eight callers write rows of that size until there is no room, and
// checks that they are told so. It returns how many rows were acknowledged.
func fill(ctx context.Context, e *sqlite.Engine, name string, size int) (written int, err error) {
	var next, acknowledged atomic.Int64
	ends := make(chan error)
	const callers = 8
	for range callers {
		go func() {
			for {
				i := next.Add(1) - 1
				err := execute(ctx, e, `INSERT INTO thing (id, n, pad) VALUES ($1, $2, $3)`, fmt.Sprint(name, " ", i), i, noise(size))
				if err != nil {
					ends <- err
					return
				}
				if acknowledged.Add(1) > 10_000 {
					ends <- errors.New("there was always room")
					return
				}
			}
		}()
	}
	for range callers {
		if end := <-ends; !errors.Is(end, store.ErrUnavailable) {
			err = fmt.Errorf("without room: %w, want ErrUnavailable", end)
		}
	}
	written = int(acknowledged.Load())
	switch {
	case err != nil:
		return written, err
	case written == 0:
		return 0, errors.New("nothing was written at all")
	}
	return written, readable(ctx, e, written)
}

// recovered writes one more row and expects all others to be there still.
func recovered(ctx context.Context, e *sqlite.Engine, written, size int) error {
	if err := execute(ctx, e, `INSERT INTO thing (id, n, pad) VALUES ('after', 0, $1)`, noise(size)); err != nil {
		return fmt.Errorf("with room again: %w", err)
	}
	return readable(ctx, e, written+1)
}

func readable(ctx context.Context, e *sqlite.Engine, want int) error {
	return e.Read(ctx, func(q store.Querier) error {
		var n int
		var verdict string
		if err := q.QueryRowContext(ctx, `SELECT COUNT(*) FROM thing`).Scan(&n); err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if err := q.QueryRowContext(ctx, `PRAGMA integrity_check`).Scan(&verdict); err != nil || verdict != "ok" {
			return fmt.Errorf("integrity: %q, %w", verdict, err)
		}
		if n != want {
			return fmt.Errorf("%d rows are there, %d were acknowledged", n, want)
		}
		return nil
	})
}

func noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7)
	}
	return b
}

// writeWithoutRoom runs in a process of its own, whose files may not grow
// beyond a limit for a while; writing on fails like a broken disk.
func writeWithoutRoom(path string) error {
	ctx := context.Background()
	e, err := sqlite.Open(ctx, sqlite.Config{Path: path})
	if err != nil {
		return err
	}
	defer e.Close()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	small := limit
	small.Cur = 1 << 20
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &small); err != nil {
		return err
	}
	written, err := fill(ctx, e, "full", 16<<10)
	if err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	return recovered(ctx, e, written, 16<<10)
}
