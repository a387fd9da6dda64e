package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	t.Parallel()
	const (
		ran     = `{"Action":"pass","Package":"p","Test":"TestA"}` + "\n"
		closing = `{"Action":"output","Package":"p","Output":"ok  \tp\t0.01s\n"}` + "\n"
		skip    = `{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:1: no database\n"}` + "\n" +
			`{"Action":"skip","Package":"p","Test":"TestB"}` + "\n"
		fail = `{"Action":"output","Package":"p","Test":"TestC","Output":"    c_test.go:1: wrong\n"}` + "\n" +
			`{"Action":"fail","Package":"p","Test":"TestC"}` + "\n"
		empty = `{"Action":"skip","Package":"q"}` + "\n"
	)
	for _, tt := range []struct {
		name, in, allowed string
		strict            bool
		wantErr, wantOut  string
	}{
		{name: "Green", in: ran + empty + closing, strict: true, wantOut: "ok  \tp\t0.01s\n"},
		{name: "SkipAtHome", in: ran + skip, wantOut: "SKIP p TestB\n    b_test.go:1: no database\n"},
		{name: "SkipInCI", in: ran + skip, strict: true, wantErr: "p TestB", wantOut: "SKIP p TestB"},
		{name: "SkipAllowed", in: ran + skip, strict: true, allowed: "p TestB needs a moon", wantOut: "1 skipped"},
		{name: "Fail", in: ran + fail, wantErr: "failed", wantOut: "c_test.go:1: wrong"},
		{name: "NothingRan", in: empty, wantErr: "no test ran"},
		{name: "BuildError", in: "# p\nx.go:1: oops\n" + ran, wantOut: "x.go:1: oops"},
		{name: "ReasonMissing", in: ran, allowed: "p TestB", wantErr: "want package, test and reason"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "allowed")
			if err := os.WriteFile(file, []byte("# comment\n"+tt.allowed), 0o600); err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			err := run(strings.NewReader(tt.in), &out, file, tt.strict)
			if got := errText(err); (tt.wantErr == "") != (got == "") || !strings.Contains(got, tt.wantErr) {
				t.Errorf("error = %q, want %q", got, tt.wantErr)
			}
			if !strings.Contains(out.String(), tt.wantOut) {
				t.Errorf("output lacks %q:\n%s", tt.wantOut, &out)
			}
		})
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
