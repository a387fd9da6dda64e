package postgres_test

import (
	"testing"

	"gatehouse.dev/internal/store"
	"gatehouse.dev/internal/store/pgtest"
	"gatehouse.dev/internal/store/storetest"
)

func TestEngine(t *testing.T) {
	t.Parallel()
	storetest.Engines(t, func(t testing.TB) store.Engine { return pgtest.Open(t) })
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t testing.TB) *store.Store { return store.New(pgtest.Open(t)) })
}
