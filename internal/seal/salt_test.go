package seal_test

import (
	"bytes"
	"testing"

	"gatehouse.dev/internal/seal"
)

// The salt key stays what it is when the master key is rotated, and on another
// node.
func TestSaltKeyNeverChanges(t *testing.T) {
	t.Parallel()
	f := setup(t)
	oldLine, newLine := seal.NewMasterKey(), seal.NewMasterKey()
	first, err := f.keeper(t, oldLine).SaltKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(first.Bytes()) != 32 {
		t.Fatalf("the key has %d bytes", len(first.Bytes()))
	}
	during := f.keeper(t, newLine, oldLine)
	if _, err := during.Rewrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := during.RotateKey(t.Context(), seal.Scope{Purpose: "salt"}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		again, err := f.keeper(t, newLine).SaltKey(t.Context())
		if err != nil || !bytes.Equal(again.Bytes(), first.Bytes()) {
			t.Errorf("another salt key: %v", err)
		}
	}
}
