package sqlite_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"gatehouse.dev/internal/store"
	"gatehouse.dev/internal/store/sqlite"
	"gatehouse.dev/internal/store/storetest"
)

func TestEngine(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t testing.TB) store.Engine { return open(t, sqlite.Config{}) })
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t testing.TB) *store.Store { return store.New(open(t, sqlite.Config{})) })
}

// template is a migrated database, made once: migrating costs many fsyncs.
var template = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "gatehouse-template-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "gatehouse.db")
	e, err := sqlite.Open(context.Background(), sqlite.Config{Path: path})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(e.Migrate(context.Background()), e.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// open returns an engine on a migrated database in a folder of its own, unless
// c says otherwise.
func open(t testing.TB, c sqlite.Config) *sqlite.Engine {
	t.Helper()
	if c.Path == "" {
		c.Path = filepath.Join(t.TempDir(), "gatehouse.db")
	}
	if _, err := os.Stat(c.Path); errors.Is(err, os.ErrNotExist) {
		made, err := template()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(c.Path, made, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e, err := sqlite.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}
