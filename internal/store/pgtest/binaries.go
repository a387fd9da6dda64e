package pgtest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
)

// packageName is what to install where nothing is found.
const packageName = "postgresql (Debian, Ubuntu: apt-get install postgresql)"

var errMissing = errors.New("no PostgreSQL binaries found; install " + packageName)

// binaries returns the folder that has both initdb and postgres: the newest
// that Debian installed (it keeps them off PATH), else the one on PATH.
func binaries() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	slices.SortFunc(found, func(a, b string) int { return release(b) - release(a) })
	if p, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(p); err == nil {
			found = append(found, real)
		}
	}
	for _, p := range found {
		dir := filepath.Dir(p)
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err == nil {
			return dir, nil
		}
	}
	return "", errMissing
}

// release reads 15 out of /usr/lib/postgresql/15/bin/postgres.
func release(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	return n
}
