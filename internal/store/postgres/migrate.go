package postgres

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"gatehouse.dev/internal/store"
	"gatehouse.dev/internal/store/schema"
)

//go:embed migrations/*.sql
var migrations embed.FS

const tableExists = `SELECT to_regclass($1) IS NOT NULL`

// migrationLock is the advisory lock under which nodes take turns; its number
// only has to differ from those of others in the same database.
const migrationLock = 0x6761746568 // "gateh"

func newMigrator(db *sql.DB) (*schema.Migrator, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(migrationLock))
	if err != nil {
		return nil, fmt.Errorf("make migration lock: %w", err)
	}
	return schema.New(db, goose.DialectPostgres, files, tableExists, goose.WithSessionLocker(locker))
}

// Migrate implements [store.Engine]. Nodes that start together take turns.
func (e *Engine) Migrate(ctx context.Context) error { return classify(e.migrate.Up(ctx)) }

// Version implements [store.Engine].
func (e *Engine) Version(ctx context.Context) (store.Version, error) {
	v, err := e.migrate.Version(ctx)
	return v, classify(err)
}
