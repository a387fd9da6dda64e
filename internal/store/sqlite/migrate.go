package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"io/fs"

	"github.com/pressly/goose/v3"

	"gatehouse.dev/internal/store"
	"gatehouse.dev/internal/store/schema"
)

//go:embed migrations/*.sql
var migrations embed.FS

const tableExists = `SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1)`

func newMigrator(db *sql.DB) (*schema.Migrator, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return schema.New(db, goose.DialectSQLite3, files, tableExists)
}

// Migrate implements [store.Engine].
func (e *Engine) Migrate(ctx context.Context) error { return classify(e.migrate.Up(ctx)) }

// Version implements [store.Engine].
func (e *Engine) Version(ctx context.Context) (store.Version, error) {
	v, err := e.migrate.Version(ctx)
	return v, classify(err)
}
