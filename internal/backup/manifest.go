package backup

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

const (
	format       = 1
	manifestName = "manifest.json"
	databaseName = "gatehouse.db"
	maxManifest  = 1 << 20
)

// Manifest says what a backup is. It stands in front, to be read without
// unpacking.
type Manifest struct {
	Format       int       `json:"format"`
	Program      string    `json:"program"` // version that made it
	Engine       string    `json:"engine"`  // that it was made of
	Schema       int64     `json:"schema"`
	Created      time.Time `json:"created"`
	Installation string    `json:"installation"`
	Incarnation  int64     `json:"incarnation"`
	LogHead      int64     `json:"log_head"` // of the revocation log
	AuditSeq     int64     `json:"audit_seq"`
	AuditHash    string    `json:"audit_hash"`
	Size         int64     `json:"size"` // of the database
	SHA256       string    `json:"sha256"`
}

// pack writes manifest and database to path in one step: nothing stands there
// until all of it does.
func pack(path string, m Manifest, database string) (err error) {
	part := path + ".part"
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("create backup: %w", err)
	}
	defer func() {
		if err != nil {
			os.Remove(part)
		}
	}()
	defer f.Close()
	if err := writeArchive(f, m, database); err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	if err := os.Rename(part, path); err != nil {
		return fmt.Errorf("name backup: %w", err)
	}
	return syncFolder(filepath.Dir(path))
}

func writeArchive(w io.Writer, m Manifest, database string) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	t := tar.NewWriter(w)
	if err := t.WriteHeader(&tar.Header{Name: manifestName, Mode: 0o600, Size: int64(len(text)), ModTime: m.Created}); err != nil {
		return err
	}
	if _, err := t.Write(text); err != nil {
		return err
	}
	f, err := os.Open(database)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := t.WriteHeader(&tar.Header{Name: databaseName, Mode: 0o600, Size: m.Size, ModTime: m.Created}); err != nil {
		return err
	}
	if _, err := io.Copy(t, f); err != nil {
		return err
	}
	return t.Close()
}

// Open reads the manifest of a backup.
func Open(path string) (Manifest, error) {
	f, err := os.Open(path)
	if err != nil {
		return Manifest{}, fmt.Errorf("open backup: %w", err)
	}
	defer f.Close()
	m, err := readManifest(tar.NewReader(f))
	if err != nil {
		return m, fmt.Errorf("read backup %s: %w", path, err)
	}
	return m, nil
}

func readManifest(t *tar.Reader) (m Manifest, err error) {
	h, err := t.Next()
	if err != nil || h.Name != manifestName || h.Size > maxManifest {
		return m, errors.New("it does not begin with a manifest")
	}
	if err := json.NewDecoder(io.LimitReader(t, maxManifest)).Decode(&m); err != nil {
		return m, fmt.Errorf("its manifest is unreadable: %w", err)
	}
	if m.Format != format {
		return m, fmt.Errorf("its format is %d, this program reads %d", m.Format, format)
	}
	return m, nil
}

// unpack writes the database of a backup to path and compares it with the
// manifest.
func unpack(backup, path string) (m Manifest, err error) {
	f, err := os.Open(backup)
	if err != nil {
		return m, fmt.Errorf("open backup: %w", err)
	}
	defer f.Close()
	defer func() {
		if err != nil {
			err = fmt.Errorf("read backup %s: %w", backup, err)
		}
	}()
	t := tar.NewReader(f)
	if m, err = readManifest(t); err != nil {
		return m, err
	}
	h, err := t.Next()
	if err != nil || h.Name != databaseName {
		return m, errors.New("it has no database")
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return m, err
	}
	defer out.Close()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, sum), t)
	if err != nil {
		return m, fmt.Errorf("it is cut off or damaged: %w", err)
	}
	if n != m.Size || hex.EncodeToString(sum.Sum(nil)) != m.SHA256 {
		return m, errors.New("its database is not the one that the manifest describes")
	}
	return m, out.Close()
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("open folder: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("flush folder %s: %w", dir, err)
	}
	return nil
}
