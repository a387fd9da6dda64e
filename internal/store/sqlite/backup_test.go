package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"

	"gatehouse.dev/internal/store"
	"gatehouse.dev/internal/store/sqlite"
)

// A backup made while writers are at it is one moment of the database, and not
// an earlier one than its beginning.
func TestBackup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, backup := filepath.Join(dir, "gatehouse.db"), filepath.Join(dir, "backup.db")
	e := withThings(t, sqlite.Config{Path: path})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var acknowledged atomic.Int64
	go func() {
		for i := 0; ctx.Err() == nil; i++ {
			err := e.Write(ctx, func(q store.Querier) error { // always a pair
				for _, half := range []string{"a", "b"} {
					if _, err := q.ExecContext(ctx, insertThing, strconv.Itoa(i)+half, i); err != nil {
						return err
					}
				}
				return nil
			})
			if err == nil {
				acknowledged.Add(2)
			}
		}
	}()
	for acknowledged.Load() < 100 {
		if t.Context().Err() != nil {
			t.Fatal("no writes")
		}
	}
	before := acknowledged.Load()
	if err := e.Backup(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	if err := e.Backup(t.Context(), backup); err == nil {
		t.Error("a backup was overwritten")
	}
	cancel()
	e.Close()
	after := acknowledged.Load()

	if err := sqlite.Replace(t.Context(), path, backup); err != nil {
		t.Fatal(err)
	}
	n := count(t, open(t, sqlite.Config{Path: path}), "thing")
	if n%2 != 0 || int64(n) < before || int64(n) > after+2 {
		t.Errorf("backup has %d rows; %d when it began, %d in the end", n, before, after)
	}
	old := filepath.Join(t.TempDir(), "old.db")
	if err := os.Rename(sqlite.Replaced(path), old); err != nil {
		t.Fatal(err)
	}
	if n := count(t, open(t, sqlite.Config{Path: old}), "thing"); int64(n) < after {
		t.Errorf("what was replaced has %d rows, want at least %d", n, after)
	}
}

func TestReplaceRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "gatehouse.db")
	e := withThings(t, sqlite.Config{Path: path})
	mustExec(t, e, insertThing, "kept", 1)
	good := filepath.Join(dir, "good.db")
	if err := e.Backup(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	e.Close()
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	damaged := append([]byte{}, whole...)
	for i := 5 * 4096; i < 60*4096; i++ {
		damaged[i] ^= 0x5a
	}
	// The index disagrees with the table; every page is well-formed.
	subtle := bytes.Replace(whole, []byte("kept"), []byte("kepu"), 1)
	for name, content := range map[string][]byte{
		"Text":    []byte("this is no database, however long the text may be"),
		"Cut":     whole[:len(whole)/2],
		"Damaged": damaged,
		"Subtle":  subtle,
		"Empty":   {},
	} {
		bad := filepath.Join(dir, name)
		if err := os.WriteFile(bad, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := sqlite.Replace(t.Context(), path, bad); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if err := sqlite.Replace(t.Context(), path, filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no backup: %v", err)
	}
	if n := count(t, open(t, sqlite.Config{Path: path}), "thing"); n != 1 {
		t.Errorf("a refused Replace left %d rows", n)
	}
}

// The log of a process that was killed belongs to the database that is replaced,
// and would spoil the one that comes.
func TestReplaceAfterKill(t *testing.T) {
	t.Parallel()
	dir, killed := t.TempDir(), t.TempDir()
	path := filepath.Join(dir, "gatehouse.db")
	e := withThings(t, sqlite.Config{Path: path})
	backup := filepath.Join(dir, "backup.db")
	if err := e.Backup(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	mustExec(t, e, insertThing, "later", 1)
	for _, suffix := range []string{"", "-wal"} { // what a kill leaves
		b, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(killed, "gatehouse.db")+suffix, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path = filepath.Join(killed, "gatehouse.db")
	if err := sqlite.Replace(t.Context(), path, backup); err != nil {
		t.Fatal(err)
	}
	if n := count(t, open(t, sqlite.Config{Path: path}), "thing"); n != 0 {
		t.Errorf("%d rows, want the backup's none", n)
	}
	old := filepath.Join(t.TempDir(), "old.db")
	for _, suffix := range []string{"", "-wal"} {
		if err := os.Rename(sqlite.Replaced(path)+suffix, old+suffix); err != nil {
			t.Fatal(err)
		}
	}
	if n := count(t, open(t, sqlite.Config{Path: old}), "thing"); n != 1 {
		t.Errorf("what was replaced has %d rows, want all that it had", n)
	}
}
