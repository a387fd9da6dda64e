package clienttest

import (
	"path/filepath"
	"testing"
)

// Node finds Node.
func Node(t testing.TB) string { return Program(t, "install nodejs 20 or later", "node", "nodejs") }

// Fieldpine compiles the TypeScript client for FD1 and returns the folder of its
// modules.
func Fieldpine(t testing.TB) string {
	t.Helper()
	source := Root(t, "client", "typescript", "fieldpine")
	compiler := NodePackage(t, source, "typescript")
	dist := t.TempDir()
	Run(t, nil, Node(t), filepath.Join(compiler, "bin", "tsc"), "-p", source, "--outDir", dist)
	return dist
}
