package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMeasure(t *testing.T) {
	t.Parallel()
	fixed := func(v ...float64) side {
		i := -1
		return func(context.Context, time.Duration) (measure, error) {
			i++
			return measure{value: v[i%len(v)]}, nil
		}
	}
	l := &lab{options: options{rounds: 3, time: time.Millisecond}}
	for name, c := range map[string]struct {
		ours, bare side
		err        error
		want       string
	}{
		"Median":  {ours: fixed(1, 10, 90, 20), bare: fixed(1, 10, 10, 10), want: "**2.00** | 1.00–9.00 | 20/s | 10/s"},
		"Below":   {ours: fixed(5), bare: fixed(10), want: "**0.50** (below)"},
		"Absent":  {err: errAbsent, want: "left out: not installed"},
		"Failing": {ours: func(context.Context, time.Duration) (measure, error) { return measure{}, errors.New("401") }, bare: fixed(1), want: "failed"},
	} {
		t.Run(name, func(t *testing.T) {
			r := l.measure(t.Context(), row{name: "x", aim: 1, prepare: func(context.Context, *lab) (side, side, error) {
				return c.ours, c.bare, c.err
			}})
			if got := table([]result{r}); !strings.Contains(got, c.want) {
				t.Errorf("table:\n%s\nwant %q in it", got, c.want)
			}
		})
	}
}

func TestReadWrk(t *testing.T) {
	t.Parallel()
	if v, n, err := readWrk("Running\nRESULT {\"requests\":3000,\"micros\":2000000,\"refused\":0,\"errors\":0}\n"); err != nil || v != 1500 || n != 3000 {
		t.Errorf("read %v, %v, %v; want 1500 and 3000", v, n, err)
	}
	for _, bad := range []string{
		"", "RESULT {", `RESULT {"requests":0,"micros":1}`,
		`RESULT {"requests":10,"micros":1,"refused":1}`, `RESULT {"requests":10,"micros":1,"errors":1}`,
	} {
		if v, _, err := readWrk(bad); err == nil {
			t.Errorf("%q read as %v", bad, v)
		}
	}
}

func TestWriteReadme(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "README.md")
	os.WriteFile(path, []byte("# A\n"+tableBegin+"old\n| `issue` | kept |\n| `grants` | replaced |\n"+tableEnd+"end\n"), 0o600)
	if err := writeReadme(path, "Measured.", []result{{row: row{name: "grants", what: "measured"}}}); err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(path)
	if got := string(b); !strings.HasPrefix(got, "# A\n") || !strings.HasSuffix(got, tableEnd+"end\n") || strings.Contains(got, "old") ||
		!strings.Contains(got, "Measured.") || !strings.Contains(got, "| kept |\n| `grants` | measured |") || strings.Contains(got, "replaced") {
		t.Errorf("README is\n%s", got)
	}
	os.WriteFile(path, []byte("# A\n"), 0o600)
	if err := writeReadme(path, "", nil); err == nil {
		t.Error("wrote into a file without marks")
	}
}
