package field_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"gatehouse.dev/internal/field"
)

func TestName(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want, problem string }{
		"plain":         {in: "Pump house 4", want: "Pump house 4"},
		"trimmed":       {in: " \tAda\u00a0 ", problem: "control"},
		"blanks":        {in: "  Ada\u00a0 ", want: "Ada"},
		"composed":      {in: "e\u0301", want: "é"},
		"other script":  {in: "Вера", want: "Вера"},
		"empty":         {in: "  ", problem: "is empty"},
		"NUL":           {in: "a\x00b", problem: "contains NUL"},
		"new line":      {in: "a\nb", problem: "control"},
		"escape":        {in: "a\x1b[2Jb", problem: "control"},
		"bad UTF-8":     {in: "a\xffb", problem: "is not UTF-8"},
		"right to left": {in: "a\u202eb", problem: "invisible"},
		"zero width":    {in: "a\u200bb", problem: "invisible"},
		"byte order":    {in: "\ufeffa", problem: "invisible"},
		"replacement":   {in: "a\ufffdb", problem: "invisible"},
		"long":          {in: strings.Repeat("é", 11), problem: "longer than 10 characters"},
		"very long":     {in: strings.Repeat("a", 1<<20), problem: "longer than 10 characters"},
	} {
		limit := 10
		if c.problem == "" {
			limit = 20
		}
		got, err := field.Name("title", c.in, limit)
		switch {
		case c.problem == "" && (err != nil || got != c.want):
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		case c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem) || !strings.HasPrefix(err.Error(), "title ")):
			t.Errorf("%s: error = %v, want one with %q", name, err, c.problem)
		}
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	err := errors.Join(field.Errorf("a", "is empty"), errors.New("other"), field.Errorf("b", "is %s", "odd"))
	got := field.Errors(err)
	if len(got) != 2 || got[0].Field != "a" || got[1].Problem != "is odd" {
		t.Errorf("errors = %v", got)
	}
}

func FuzzName(f *testing.F) {
	f.Add("Ada")
	f.Add(" \x00 ")
	f.Fuzz(func(t *testing.T, s string) {
		got, err := field.Name("name", s, 40)
		if err != nil {
			return
		}
		if !utf8.ValidString(got) || strings.ContainsAny(got, "\x00\n\r\x1b") || got == "" {
			t.Errorf("accepted %q as %q", s, got)
		}
		if again, err := field.Name("name", got, 200); err != nil || again != got {
			t.Errorf("%q is not stable: %q, %v", got, again, err)
		}
	})
}
