package clienttest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Missing ends a test for which something is not there.
func Missing(t testing.TB, what, remedy string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing: %s", what, remedy)
	}
	t.Skipf("%s is missing: %s", what, remedy)
}

// Program finds the first of these programs that is there.
func Program(t testing.TB, remedy string, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	Missing(t, names[0], remedy)
	return ""
}

// Root is a path below the root of the module, for the tests of this folder.
func Root(t testing.TB, elem ...string) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", "..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(append([]string{root}, elem...)...)
}

// NodePackage checks that a package is installed below a folder that has a
// package-lock.json, and returns where.
func NodePackage(t testing.TB, folder, name string) string {
	t.Helper()
	at := filepath.Join(folder, "node_modules", name)
	if _, err := os.Stat(at); err != nil {
		Missing(t, name, "run npm ci in "+folder)
	}
	return at
}

// Run runs a program to its end and returns what it printed.
func Run(t testing.TB, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", filepath.Base(name), err, &stdout, &stderr)
	}
	return stdout.String()
}
