package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Replaced is where Replace leaves the database that was at path before.
func Replaced(path string) string { return path + ".replaced" }

// Replace puts a copy of the backup at path, where no process may be serving.
// The backup is checked first, and nothing has changed when that fails. What
// stood at path before is kept at [Replaced]. The restored database is not fit
// to serve until store.Renew has been called on it.
func Replace(ctx context.Context, path, backup string) (err error) {
	lock, err := lockFolder(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := check(ctx, backup); err != nil {
		return fmt.Errorf("check backup: %w", err)
	}
	part := path + ".part"
	defer os.Remove(part)
	if err := copyFile(part, backup); err != nil {
		return classify(fmt.Errorf("copy backup: %w", err))
	}
	// A log left behind would be applied to the wrong database.
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(path+suffix, Replaced(path)+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("put the old database aside: %w", err)
		}
	}
	if err := os.Rename(part, path); err != nil {
		return fmt.Errorf("name restored database: %w", err)
	}
	return syncFolder(filepath.Dir(path))
}

// check reads all of a database file and lets SQLite judge it.
func check(ctx context.Context, path string) error {
	if _, err := os.Stat(path); err != nil {
		return err
	}
	// immutable: it may lie on a medium that cannot be written.
	db, err := sql.Open("sqlite", dsn(path, []string{"query_only(1)"})+"&mode=ro&immutable=1")
	if err != nil {
		return err
	}
	defer db.Close()
	var verdict string
	if err := db.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&verdict); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if verdict != "ok" {
		return fmt.Errorf("%s is damaged: %s", path, verdict)
	}
	var ours bool
	if err := db.QueryRowContext(ctx, tableExists, "schema_floor").Scan(&ours); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if !ours {
		return fmt.Errorf("%s is a database, but not one of Gatehouse", path)
	}
	return nil
}

func copyFile(to, from string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer dst.Close()
	if _, err := io.Copy(dst, src); err != nil {
		return err
	}
	return dst.Sync()
}
