// Package schema migrates the database of an engine from the SQL files the
// engine embeds.
//
// Releases overlap: while a cluster is upgraded, the older release goes on
// working on a database that the newer one has migrated. So migrations only
// add; what they make superfluous is removed a release later. The row in
// schema_floor says how old a program may be and still share the database; a
// migration that removes something raises it to its own number.
package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"

	"gatehouse.dev/internal/store"
)

// Migrator migrates one database.
type Migrator struct {
	provider *goose.Provider
	db       *sql.DB
	// exists answers whether the table named $1 is there.
	exists string
}

// New returns a migrator. The files are NNNNN_name.sql at the root of files;
// tableExists is a query of one boolean that asks for a table by its name.
func New(db *sql.DB, dialect goose.Dialect, files fs.FS, tableExists string, opts ...goose.ProviderOption) (*Migrator, error) {
	opts = append(opts, goose.WithTableName("schema_version"), goose.WithDisableGlobalRegistry(true))
	p, err := goose.NewProvider(dialect, db, files, opts...)
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return &Migrator{provider: p, db: db, exists: tableExists}, nil
}

// Up applies what is missing, each file in a transaction of its own.
func (m *Migrator) Up(ctx context.Context) error {
	v, err := m.Version(ctx)
	if err != nil {
		return err
	}
	if v.Floor > v.Program {
		return fmt.Errorf("%w: it needs schema %d, this program knows %d", store.ErrNewer, v.Floor, v.Program)
	}
	if v.Current() {
		return nil
	}
	if _, err := m.provider.Up(ctx); err != nil {
		return fmt.Errorf("apply migrations: %w", err)
	}
	return nil
}

// Version reads where the database stands. An empty database is at 0.
func (m *Migrator) Version(ctx context.Context) (store.Version, error) {
	var v store.Version
	for _, s := range m.provider.ListSources() {
		v.Program = max(v.Program, s.Version)
	}
	for table, read := range map[string]func() error{
		"schema_version": func() (err error) { v.Database, err = m.provider.GetDBVersion(ctx); return err },
		"schema_floor": func() error {
			return m.db.QueryRowContext(ctx, `SELECT floor FROM schema_floor`).Scan(&v.Floor)
		},
	} {
		var there bool
		if err := m.db.QueryRowContext(ctx, m.exists, table).Scan(&there); err != nil {
			return v, fmt.Errorf("look for table %s: %w", table, err)
		}
		if !there {
			continue
		}
		if err := read(); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return v, fmt.Errorf("read table %s: %w", table, err)
		}
	}
	return v, nil
}
