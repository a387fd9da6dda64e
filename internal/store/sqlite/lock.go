package sqlite

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// ErrLocked says that another process serves the data folder.
var ErrLocked = errors.New("the data folder is in use")

// Lock keeps others from the data folder until it is closed: for who replaces
// the database. [Open] takes it by itself.
func Lock(dir string) (io.Closer, error) {
	f, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// lockFolder takes the lock of a data folder. The kernel lets go of it when the
// process ends, however it ends; the file stays, and the number in it is only
// for people.
func lockFolder(dir string) (*os.File, error) {
	name := filepath.Join(dir, "lock")
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock of data folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock data folder %s: %w", dir, err)
		}
		owner, _ := os.ReadFile(name)
		return nil, fmt.Errorf("%w: process %[3]s serves %[2]s; stop it first",
			ErrLocked, dir, strings.TrimSpace(string(owner)))
	}
	if err := f.Truncate(0); err == nil {
		fmt.Fprintln(f, os.Getpid())
	}
	return f, nil
}
