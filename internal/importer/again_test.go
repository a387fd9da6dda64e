package importer_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/importer"
	"gatehouse.dev/internal/secret"
)

func TestAgain(t *testing.T) {
	t.Parallel()
	f := setup(t)
	const input = `{"kind":"key_pair","name":"n","key":"k","secret":"good-secret-123"}
{"kind":"api_key","name":"n","secret":"good-key-1234567"}
{"kind":"password","name":"ann","secret":"pw"}
{"kind":"password","name":"ANN","secret":"other"}
`
	first := f.run(t, importer.JSONLines, input)
	if first.Imported != 3 || !slices.Equal(first.Existed, []int{4}) {
		t.Errorf("first run = %+v", first)
	}
	f.Importer = f.again()
	if second := f.run(t, importer.JSONLines, input); second.Imported != 0 || !slices.Equal(second.Existed, []int{1, 2, 3, 4}) {
		t.Errorf("second run = %+v", second)
	}

	// The same key, known here under an older look-up key or by its SHA-256.
	old, err := secret.NewDigester(secret.LookupKey{Version: 1, Key: bytes.Repeat([]byte{1}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	f.Importer = f.again()
	f.Digester = old
	f.run(t, importer.JSONLines, `{"kind":"api_key","name":"n","secret":"older-key-1234567"}`)
	f.Importer = f.again()
	f.Digester = f.digester
	f.run(t, importer.JSONLines, `{"kind":"api_key","name":"n","hash":"`+sha("plain-key-1234567")+`"}`)
	f.Importer = f.again()
	third := f.run(t, importer.JSONLines, `{"kind":"api_key","name":"n","secret":"older-key-1234567"}
{"kind":"api_key","name":"n","secret":"plain-key-1234567"}`)
	if third.Imported != 0 || !slices.Equal(third.Existed, []int{1, 2}) {
		t.Errorf("keys in another form were imported again: %+v", third)
	}
}

// A key is the same as its hash, in one batch and across batches.
func TestTwiceInTwoForms(t *testing.T) {
	t.Parallel()
	plain := `{"kind":"api_key","name":"%s","secret":"good-key-1234567"}`
	hashed := `{"kind":"api_key","name":"%s","hash":"` + sha("good-key-1234567") + `"}`
	for name, c := range map[string]struct {
		first, second, owner string
		between              int
	}{
		"SecretFirst":      {plain, hashed, "n", 0},
		"HashFirst":        {hashed, plain, "n", 0},
		"SomebodyElse":     {plain, hashed, "m", 0},
		"TwoBatches":       {plain, hashed, "n", 600},
		"TwoBatches, hash": {hashed, plain, "n", 600},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			input := fmt.Sprintf(c.first, "n") + strings.Repeat("\n{}", c.between) + "\n" + fmt.Sprintf(c.second, c.owner)
			got := f.run(t, importer.JSONLines, input)
			got.Bad = []importer.BadLine{}
			last := 2 + c.between
			want := importer.Report{Lines: last, Imported: 1, Existed: []int{last}, Conflicts: []int{}, Bad: []importer.BadLine{}}
			if c.owner != "n" {
				want.Existed, want.Conflicts = want.Conflicts, want.Existed
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// What is somebody else's is not reported as if its owner had it already.
func TestConflict(t *testing.T) {
	t.Parallel()
	const mine = `{"kind":"key_pair","name":"n","key":"k","secret":"good-secret-123"}
{"kind":"api_key","name":"n","secret":"good-key-1234567"}
{"kind":"api_key","name":"n","hash":"%s"}
`
	const others = `{"kind":"key_pair","name":"m","key":"k","secret":"good-secret-123"}
{"kind":"api_key","name":"m","secret":"good-key-1234567"}
{"kind":"api_key","name":"n","principal_kind":"device","secret":"good-key-1234567"}
{"kind":"api_key","name":"n","secret":"good-key-1234567"}
`
	input := fmt.Sprintf(mine, sha("plain-key-1234567"))
	for _, dry := range []bool{true, false} {
		t.Run(fmt.Sprintf("DryRun=%v", dry), func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			f.DryRun = dry
			// In one batch, as nothing is there yet.
			want := importer.Report{
				DryRun: dry, Lines: 7, Imported: 3, Existed: []int{7}, Conflicts: []int{4, 5, 6}, Bad: []importer.BadLine{},
			}
			if d := cmp.Diff(want, f.run(t, importer.JSONLines, input+others)); d != "" {
				t.Errorf("one batch (-want +got):\n%s", d)
			}
			f.Importer = f.again()
			f.DryRun = false
			f.run(t, importer.JSONLines, input)
			// And against what the store has.
			f.Importer = f.again()
			f.DryRun = dry
			want = importer.Report{DryRun: dry, Lines: 5, Existed: []int{4}, Conflicts: []int{1, 2, 3, 5}, Bad: []importer.BadLine{}}
			const inAnotherForm = `{"kind":"api_key","name":"m","secret":"plain-key-1234567"}`
			if d := cmp.Diff(want, f.run(t, importer.JSONLines, others+inAnotherForm)); d != "" {
				t.Errorf("later (-want +got):\n%s", d)
			}
		})
	}
}
