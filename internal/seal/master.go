package seal

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	keyLen        = 32
	maxMasterFile = 16 << 10
)

// Masters are the master keys in use: the first wraps, all unwrap.
type Masters struct{ keys []master }

type master struct {
	id  string
	box *box
}

// Current is the id of the key that wraps.
func (m *Masters) Current() string { return m.keys[0].id }

// IDs are the ids of all keys, the current one first. An id tells nothing
// about its key.
func (m *Masters) IDs() []string {
	out := make([]string, len(m.keys))
	for i, k := range m.keys {
		out[i] = k.id
	}
	return out
}

func (m *Masters) find(id string) *box {
	for _, k := range m.keys {
		if k.id == id {
			return k.box
		}
	}
	return nil
}

// ParseMasters reads master keys: one to a line, 32 bytes in standard base64,
// the current one first. Empty lines and lines that begin with # are skipped.
// Errors name the line and never what stands in it.
func ParseMasters(text []byte) (*Masters, error) {
	m := &Masters{}
	for i, line := range bytes.Split(text, []byte("\n")) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		key, err := base64.StdEncoding.Strict().DecodeString(string(line))
		if err != nil || len(key) != keyLen {
			return nil, fmt.Errorf("master key, line %d: want %d bytes in base64 (44 characters)", i+1, keyLen)
		}
		id := masterID(key)
		if m.find(id) != nil {
			return nil, fmt.Errorf("master key, line %d: the same key stands above", i+1)
		}
		m.keys = append(m.keys, master{id: id, box: newBox(key)})
	}
	if len(m.keys) == 0 {
		return nil, errors.New("master key: the file has none")
	}
	return m, nil
}

// masterID names a key without telling anything about it.
func masterID(key []byte) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte("gatehouse master key id"))
	return "mas_" + hex.EncodeToString(h.Sum(nil)[:8])
}

// LoadMasters reads the master key file. It refuses one that others than its
// owner may read or write.
func LoadMasters(path string) (*Masters, error) {
	return load(path, 0o077, "chmod 600 "+path)
}

// LoadCredential reads the master key from the directory in which systemd puts
// a service's credentials ($CREDENTIALS_DIRECTORY). Who may read there is
// systemd's care; it may add the service's group.
func LoadCredential(dir, name string) (*Masters, error) {
	if dir == "" {
		return nil, errors.New("master key: $CREDENTIALS_DIRECTORY is not set; does the unit have LoadCredential?")
	}
	if name == "" || name != filepath.Base(name) {
		return nil, fmt.Errorf("master key: %q is no name of a credential", name)
	}
	return load(filepath.Join(dir, name), 0o007, "use LoadCredential or LoadCredentialEncrypted")
}

func load(path string, forbidden fs.FileMode, mend string) (*Masters, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("master key: %s is not a regular file", path)
	}
	if mode := info.Mode().Perm(); mode&forbidden != 0 {
		return nil, fmt.Errorf("master key: %s has mode %04o, others may get at it; %s", path, mode, mend)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxMasterFile+1))
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	if len(text) > maxMasterFile {
		return nil, fmt.Errorf("master key: %s is longer than %d bytes", path, maxMasterFile)
	}
	m, err := ParseMasters(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// NewMasterKey makes a line for a master key file.
func NewMasterKey() string {
	var b [keyLen]byte
	rand.Read(b[:])
	return base64.StdEncoding.EncodeToString(b[:])
}

// CreateMasters writes a file with a new master key, mode 0600, durably, and
// reads it back. It never replaces a file: losing a master key loses all that
// was sealed.
func CreateMasters(path string) (*Masters, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create master key: %w", err)
	}
	_, err = fmt.Fprintf(f, "# Gatehouse master key. Keep a copy where the data is not.\n%s\n", NewMasterKey())
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create master key: %w", err), os.Remove(path))
	}
	return LoadMasters(path)
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
