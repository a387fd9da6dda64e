package seal_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gatehouse.dev/internal/seal"
)

func TestCreateMasters(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "master.key")
	made, err := seal.CreateMasters(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v, %v", info.Mode(), err)
	}
	again, err := seal.LoadMasters(path)
	if err != nil || !slices.Equal(again.IDs(), made.IDs()) {
		t.Errorf("read back %v, %v; want %v", again, err, made.IDs())
	}
	if _, err := seal.CreateMasters(path); !os.IsExist(unwrap(err)) {
		t.Errorf("an existing key was replaced: %v", err)
	}
}

func unwrap(err error) error {
	for {
		u, ok := err.(interface{ Unwrap() error })
		if !ok {
			return err
		}
		if _, path := err.(*os.PathError); path {
			return err
		}
		err = u.Unwrap()
	}
}

func TestLoadMastersDemandsMode(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "master.key")
	if _, err := seal.CreateMasters(path); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o644, 0o666} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := seal.LoadMasters(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %o: error = %v", mode, err)
		}
	}
	for _, mode := range []os.FileMode{0o600, 0o400} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := seal.LoadMasters(path); err != nil {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	if _, err := seal.LoadMasters(filepath.Dir(path)); err == nil {
		t.Error("a folder was accepted")
	}
	if _, err := seal.LoadMasters(path + ".not"); err == nil {
		t.Error("a missing file was accepted")
	}
}

func TestLoadCredential(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "master"), []byte(seal.NewMasterKey()), 0o440); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.LoadCredential(dir, "master"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"", "../master", "x/master", "absent"} {
		if _, err := seal.LoadCredential(dir, name); err == nil {
			t.Errorf("name %q was accepted", name)
		}
	}
	if _, err := seal.LoadCredential("", "master"); err == nil {
		t.Error("worked without a directory")
	}
	if err := os.Chmod(filepath.Join(dir, "master"), 0o444); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.LoadCredential(dir, "master"); err == nil {
		t.Error("a credential that all may read was accepted")
	}
}

func TestParseMasters(t *testing.T) {
	t.Parallel()
	a, b := seal.NewMasterKey(), seal.NewMasterKey()
	m, err := seal.ParseMasters([]byte("# new\n" + a + "\r\n\n# old\n  " + b + "  \n"))
	if err != nil {
		t.Fatal(err)
	}
	alone, _ := seal.ParseMasters([]byte(a))
	if len(m.IDs()) != 2 || m.Current() != alone.Current() {
		t.Errorf("ids = %v, current should be the first", m.IDs())
	}
	for name, text := range map[string]string{
		"empty": "", "only comments": "# x\n", "short": a[:40], "long": a + "AA==", "twice": a + "\n" + a,
		"not base64": strings.Repeat("!", 44), "url alphabet": strings.Repeat("-", 43) + "=",
	} {
		_, err := seal.ParseMasters([]byte(text))
		if err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), a[:20]) {
			t.Errorf("%s: the error repeats the key", name)
		}
	}
}

func FuzzParseMasters(f *testing.F) {
	f.Add([]byte("# c\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := seal.ParseMasters(b); err == nil && len(m.IDs()) == 0 {
			t.Error("accepted a file without keys")
		}
	})
}
