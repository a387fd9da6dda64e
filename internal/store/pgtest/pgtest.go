package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/store/postgres"
)

const template = "gatehouse_template"

// cluster starts the server of this process, once.
var cluster = sync.OnceValues(func() (*server, error) {
	s, err := start()
	if err != nil {
		return nil, err
	}
	return s, s.makeTemplate()
})

func (s *server) makeTemplate() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	// Before PostgreSQL 15 there is no choice, and no need of it.
	s.strategy = " STRATEGY FILE_COPY"
	if err := s.exec(ctx, "CREATE DATABASE "+template+s.strategy); err != nil {
		s.strategy = ""
		if err := s.exec(ctx, "CREATE DATABASE "+template); err != nil {
			return fmt.Errorf("create template: %w", err)
		}
	}
	e, err := postgres.Open(ctx, postgres.Config{URL: secret.New(s.url(template))})
	if err != nil {
		return err
	}
	defer e.Close()
	return e.Migrate(ctx)
}

var numbers atomic.Int64

// URL returns the connection string of a database of the test's own, migrated
// and empty. It is removed when the test ends.
func URL(tb testing.TB) string {
	tb.Helper()
	return create(tb, template)
}

// Blank returns the connection string of a database without a schema.
func Blank(tb testing.TB) string {
	tb.Helper()
	return create(tb, "template0")
}

// Open returns an engine on a database of the test's own.
func Open(tb testing.TB) *postgres.Engine {
	tb.Helper()
	e, err := postgres.Open(tb.Context(), postgres.Config{URL: secret.New(URL(tb)), MaxConns: 24})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { e.Close() })
	return e
}

func create(tb testing.TB, from string) string {
	tb.Helper()
	s, err := cluster()
	if errors.Is(err, errMissing) && os.Getenv("CI") != "true" {
		tb.Skip(err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	name := fmt.Sprintf("test_%d", numbers.Add(1))
	if err := s.exec(tb.Context(), "CREATE DATABASE "+name+" TEMPLATE "+from+s.strategy); err != nil {
		tb.Fatalf("create test database: %v", err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := s.exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			tb.Errorf("drop test database: %v", err)
		}
	})
	return s.url(name)
}
