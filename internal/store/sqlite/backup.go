package sqlite

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// Backup writes a consistent copy of the database to path, which must not exist
// yet, while the database goes on serving. The copy is complete and on disk
// when Backup returns nil; when it fails, nothing stands at path.
func (e *Engine) Backup(ctx context.Context, path string) (err error) {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("write backup: %s exists already", path)
	}
	part := path + ".part"
	if err := os.Remove(part); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("remove an earlier attempt: %w", err)
	}
	defer func() {
		if err != nil {
			os.Remove(part)
		}
	}()
	// VACUUM INTO accepts an empty file, and this one has the right mode.
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return classify(fmt.Errorf("create backup: %w", err))
	}
	defer f.Close()
	if err := e.vacuumInto(ctx, part); err != nil {
		return classify(fmt.Errorf("copy database: %w", err))
	}
	if err := f.Sync(); err != nil {
		return classify(fmt.Errorf("flush backup: %w", err))
	}
	if err := os.Rename(part, path); err != nil {
		return fmt.Errorf("name backup: %w", err)
	}
	return syncFolder(filepath.Dir(path))
}

// vacuumInto uses a connection of its own: readers may not write, not even
// elsewhere, and the writer has better things to do.
func (e *Engine) vacuumInto(ctx context.Context, path string) error {
	c, err := e.writing.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.ExecContext(ctx, `VACUUM INTO $1`, path)
	return err
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("open folder of backup: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("flush folder of backup: %w", err)
	}
	return nil
}
