package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Source is a database that can be copied while others use it.
type Source interface {
	// Engine is its name, for the manifest.
	Engine() string
	// Copy writes one consistent picture of it to an SQLite file that does not
	// exist yet.
	Copy(ctx context.Context, path string) error
}

// Create writes a backup of src to path, which must not exist. program is the
// version that makes it.
func Create(ctx context.Context, src Source, path, program string) (m Manifest, err error) {
	if _, err := os.Lstat(path); err == nil {
		return m, fmt.Errorf("write backup: %s exists already", path)
	}
	work, err := workFolder(path, "backup")
	if err != nil {
		return m, err
	}
	defer os.RemoveAll(work)
	file := filepath.Join(work, databaseName)
	if err := src.Copy(ctx, file); err != nil {
		return m, fmt.Errorf("copy database: %w", err)
	}
	if m, err = describe(ctx, file); err != nil {
		return m, err
	}
	m.Program, m.Engine = program, src.Engine()
	return m, pack(path, m, file)
}

// describe reads what a manifest says of a copy.
func describe(ctx context.Context, file string) (Manifest, error) {
	m := Manifest{Format: format, Created: time.Now().UTC().Truncate(time.Second)}
	db, err := openFile(file)
	if err != nil {
		return m, fmt.Errorf("open copy: %w", err)
	}
	defer db.Close()
	if err := sound(ctx, db); err != nil {
		return m, err
	}
	f, err := readFacts(ctx, db)
	if err != nil {
		return m, err
	}
	if err := db.Close(); err != nil {
		return m, fmt.Errorf("close copy: %w", err)
	}
	m.Installation, m.Incarnation, m.LogHead, m.Schema = f.installation, f.incarnation, f.logHead, f.schema
	m.AuditSeq, m.AuditHash = f.auditSeq, hex.EncodeToString(f.auditHash)
	m.Size, m.SHA256, err = digest(file)
	return m, err
}

func digest(path string) (size int64, sum string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	h := sha256.New()
	if size, err = io.Copy(h, f); err != nil {
		return 0, "", fmt.Errorf("read copy: %w", err)
	}
	return size, hex.EncodeToString(h.Sum(nil)), nil
}

// SQLite is a database file, whether a server has it open or not.
type SQLite struct{ Path string }

// Engine implements [Source].
func (SQLite) Engine() string { return "sqlite" }

// Copy implements [Source]. VACUUM INTO reads one snapshot and disturbs nobody;
// the result has no log beside it.
func (s SQLite) Copy(ctx context.Context, path string) error {
	db, err := openFile(s.Path)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := emptyFile(path); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, `VACUUM INTO $1`, path); err != nil {
		os.Remove(path)
		return err
	}
	return nil
}
