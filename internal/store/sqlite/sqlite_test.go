package sqlite_test

import (
	"path/filepath"
	"testing"

	"gatehouse.dev/internal/store"
	"gatehouse.dev/internal/store/sqlite"
	"gatehouse.dev/internal/store/storetest"
)

func TestEngine(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t testing.TB) store.Engine { return open(t, sqlite.Config{}) })
}

// open returns an engine on a migrated database in a folder of its own, unless
// c says otherwise.
func open(t testing.TB, c sqlite.Config) *sqlite.Engine {
	t.Helper()
	if c.Path == "" {
		c.Path = filepath.Join(t.TempDir(), "gatehouse.db")
	}
	e, err := sqlite.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	if err := e.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return e
}
