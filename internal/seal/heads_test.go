package seal_test

import (
	"bytes"
	"testing"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/seal"
)

var (
	_ audit.Signer    = (*seal.Keeper)(nil)
	_ audit.Protector = (*seal.Keeper)(nil)
)

func TestSignHead(t *testing.T) {
	t.Parallel()
	line := seal.NewMasterKey()
	f := setup(t)
	here, message := f.keeper(t, line), []byte("head")
	key, sig, err := here.SignHead(t.Context(), message)
	if err != nil {
		t.Fatal(err)
	}
	there := f.keeper(t, line)
	if err := there.VerifyHead(t.Context(), key, message, sig); err != nil {
		t.Errorf("another node: %v", err)
	}
	for name, c := range map[string]struct {
		key          string
		message, sig []byte
	}{
		"message":   {key, []byte("other"), sig},
		"signature": {key, message, bytes.Repeat([]byte{1}, 64)},
		"empty":     {key, message, nil},
		"key":       {"dek_none", message, sig},
	} {
		if err := there.VerifyHead(t.Context(), c.key, c.message, c.sig); err == nil {
			t.Errorf("another %s was believed", name)
		}
	}

	again, _, err := here.SignHead(t.Context(), message)
	if err != nil || again != key {
		t.Errorf("the second head is signed by %q, %v; want %q", again, err, key)
	}
}

// A key that somebody wrote into the database, wrapped by a master key of his
// own, signs nothing that is believed.
func TestHeadKeyOfAnother(t *testing.T) {
	t.Parallel()
	f := setup(t)
	forger := f.keeper(t, seal.NewMasterKey())
	key, sig, err := forger.SignHead(t.Context(), []byte("head"))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.keeper(t, seal.NewMasterKey()).VerifyHead(t.Context(), key, []byte("head"), sig); err == nil {
		t.Error("a head under a foreign master key was believed")
	}
}
