package dialecttest

import (
	"os"
	"strings"
	"testing"
)

func readFile(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"empty":                  {"# only a comment\n", "no exchange"},
		"line before ===":        {"documented > GET / HTTP/1.1\n", "line 1: stands before"},
		"unmarked":               {"=== a\n> GET / HTTP/1.1\n", "line 2: \">\" is neither"},
		"misspelt mark":          {"=== a\ndocumentd > GET / HTTP/1.1\n", "line 2: \"documentd\" is neither"},
		"no arrow":               {"=== a\ndocumented GET / HTTP/1.1\n", "none of"},
		"answer first":           {"=== a\ndocumented < HTTP/1.1 200 OK\n", "cannot stand here"},
		"request after answer":   {"=== a\ndecision > G\ndecision < H\ndecision > G\n", "line 4: decision > cannot stand here"},
		"frame before answer":    {"=== a\ndecision > G\ndecision << text a\n", "cannot stand here"},
		"answer after frame":     {"=== a\ndecision > G\ndecision < H\ndecision << text a\ndecision < H\n", "cannot stand here"},
		"no answer":              {"=== a\ndecision > G\n", "line 1: exchange \"a\" has no request or no answer"},
		"do without a word":      {"=== a\ndo\n", "do what?"},
		"do between the request": {"=== a\ndecision > G\ndo it\ndecision < H\n", "line 3: do cannot stand here"},
	} {
		if _, err := parse(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error = %v, want one with %q", name, err, c.want)
		}
	}
}

func TestExpand(t *testing.T) {
	t.Parallel()
	vars := map[string]string{"a": "1", "key": "k:+"}
	for in, want := range map[string]string{
		"plain":                  "plain",
		"{{a}}{{a}}":             "11",
		`{"n":{{a}}}`:            `{"n":1}`,
		"{{base64 {{key}}:s}}":   "azorOnM=",
		"{{base64 x{{hex 0a}}}}": "eAo=",
		"{{form {{key}}}}":       "k%3A%2B",
		"{{repeat 2 {{a}} }}":    "1 1 ",
		"{{repeat 0 x}}":         "",
	} {
		if got, err := expand(in, vars); err != nil || got != want {
			t.Errorf("expand(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"{{b}}", "{{hex 0}}", "{{repeat x y}}", "{{repeat 99999999 y}}", "{{a", "{{{a}}", "{{}}"} {
		if got, err := expand(in, vars); err == nil {
			t.Errorf("expand(%q) = %q", in, got)
		}
	}
}

func FuzzRecording(f *testing.F) {
	f.Add(readFile(f, "testdata/sample.txt"))
	f.Add("=== a\ndecision > {{a{{}}}}\ndecision < {{x: {2} }}\n")
	f.Fuzz(func(t *testing.T, text string) {
		exchanges, err := parse(text)
		if err != nil {
			return
		}
		for _, x := range exchanges {
			if len(x.request) == 0 || len(x.response) == 0 {
				t.Fatal("an exchange without request or answer")
			}
			for _, l := range append(x.request, x.response...) {
				if l.mark != documented && l.mark != decision {
					t.Fatalf("line %d is marked %q", l.number, l.mark)
				}
				if !strings.Contains(l.text, "repeat") {
					expand(l.text, nil)
					compile(l.text, nil)
				}
			}
		}
	})
}
