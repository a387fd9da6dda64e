package clienttest_test

import (
	"path/filepath"
	"strings"
	"testing"

	"gatehouse.dev/internal/app/clienttest"
)

// TestTypeScript compiles the TypeScript client and runs its own tests, which
// read the published vectors.
func TestTypeScript(t *testing.T) {
	t.Parallel()
	dist := clienttest.Fieldpine(t)
	tests, err := filepath.Glob(clienttest.Root(t, "client", "typescript", "fieldpine", "test", "*.test.mjs"))
	if err != nil || len(tests) == 0 {
		t.Fatalf("no tests of the TypeScript client (%v)", err)
	}
	out := clienttest.Run(t, []string{"DIST=" + dist}, clienttest.Node(t), append([]string{"--test", "--test-reporter=tap"}, tests...)...)
	if !strings.Contains(out, "# fail 0") || !strings.Contains(out, "ok 4 - what the server sealed") {
		t.Errorf("node --test printed\n%s", out)
	}
}
