package dialecttest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// sample is a server that echoes.
func sample(t *testing.T) Target {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("X-Id", "ab12")
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if r.Method != http.MethodHead {
			fmt.Fprintf(w, "%s\n%s", r.URL, body)
		}
	})
	mux.HandleFunc("/socket", func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.CloseNow()
		for {
			kind, message, err := c.Read(r.Context())
			if err != nil {
				return
			}
			if c.Write(r.Context(), kind, message) != nil {
				return
			}
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	vars := map[string]string{"host": "sample.example", "user": "ann"}
	target := Target{Addr: server.Listener.Addr().String(), Vars: vars}
	vars["remembered"] = "ab12"
	upper := func(text string) (string, error) { return strings.ToUpper(text), nil }
	lower := func(text string) (string, error) {
		if text == "NOT" {
			return "", errors.New("not lower")
		}
		return text, nil
	}
	target.Forms = map[string]Form{"upper": {Encode: upper}, "lower": {Decode: lower}}
	target.Do = map[string]func(context.Context, ...string) error{
		"remember": func(_ context.Context, args ...string) error {
			if len(args) != 1 || args[0] != "ab12" && args[0] != "ann" {
				return fmt.Errorf("called with %q", args)
			}
			return nil
		},
	}
	return target
}

func TestRun(t *testing.T) {
	t.Parallel()
	Run(t, "testdata/*.txt", sample)
}

// Every way in which an answer can differ from its recording must be noticed.
func TestDifferencesAreFound(t *testing.T) {
	t.Parallel()
	const good = `
=== it
documented > GET /a HTTP/1.0
documented >
documented < HTTP/1.0 200 OK
documented < X-Id: {{: [a-z]{2}\d\d}}
decision   < Content-Type: text/plain; charset=utf-8
decision   < Content-Length: 3
decision   < Date: {{: .* GMT}}
documented <
documented < /a
documented <
`
	play := func(t *testing.T, text string) error {
		exchanges, err := parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return newPlayer(sample(t)).play(t.Context(), exchanges[0])
	}
	if err := play(t, good); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ old, new, want string }{
		"status":             {"200 OK", "201 Created", "line 5 (documented)"},
		"value":              {"X-Id: {{", "X-Id: b{{", "line 6 (documented)"},
		"name of a header":   {"X-Id", "X-ID", "line 6 (documented)"},
		"missing header":     {"Date: {{: .* GMT}}", "Dated: {{: .*}}", "line 9 (decision)"},
		"unrecorded header":  {"decision   < Content-Length: 3\n", "", "not recorded:\nContent-Length: 3"},
		"header asked twice": {"Content-Length: 3", "Date: {{: .*}}", "line 9 (decision)"},
		"status line again":  {"Content-Length: 3", "HTTP/1.0 200 OK", "line 8 (decision)"},
		"body":               {"< /a", "< /b", "line 12 (documented): body is"},
		"shorter body":       {"< /a\ndocumented <\n", "< /a\n", "body is"},
		"unknown variable":   {"< /a", "< {{a}}", `nothing is called "a"`},
		"unknown function":   {"< /a", "< {{up a}}", `no function is called "up"`},
		"open braces":        {"< /a", "< {{a", "is not closed"},
		"broken regexp":      {"< /a", "< {{: (}}", "missing closing )"},
		"unknown do":         {"=== it\n", "=== it\ndo it\n", `no function "it"`},
		"failing do":         {"=== it\n", "=== it\ndo remember nothing\n", "called with"},
		"frame without 101":  {"< /a\ndocumented <\n", "< /a\ndocumented <\ndocumented << text a\n", "not upgraded"},
		"no HTTP at all":     {"GET /a HTTP/1.0", "nonsense", "line 5 (documented)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(good, c.old, c.new, 1)
			if text == good {
				t.Fatalf("%q is not in the recording", c.old)
			}
			if err := play(t, text); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestFrameDifferencesAreFound(t *testing.T) {
	t.Parallel()
	text := readFile(t, "testdata/sample.txt")
	_, frames, _ := strings.Cut(text, "=== frames")
	for name, c := range map[string]struct{ old, new, want string }{
		"text":         {"<< text hello {{again: .*}}", "<< text hullo", "holds\nhello ann"},
		"kind":         {"<< binary 00ff", "<< text 00ff", "opcode 2"},
		"close code":   {"<< close 1000", "<< close 1001", "holds\n1000"},
		"unknown kind": {"<< pong x", "<< pang x", `"pang"`},
		"not the end":  {"<< pong x", "<< eof", "goes on"},
		"not silent":   {"<< pong x", "<< silence 1s", "silence was broken: frame (opcode 10) holds\nx"},
		"ended":        {"<< eof", "<< silence 1s", "silence was broken: EOF"},
		"late":         {"<< silence 50ms", "<< within 50ms pong x", "no frame"},
		"no time":      {"<< silence 50ms", "<< silence long", "invalid duration"},
		"encoded":      {"lower IN", "lower in", "want lower"},
		"undecodable":  {">> upper in", ">> upper not", "not lower"},
		"one way":      {"<< within 5s lower IN", "<< upper IN", `"upper"`},
		"bad hex":      {">> binary 00ff", ">> binary 0", "odd length"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changed := strings.Replace(frames, c.old, c.new, 1)
			if changed == frames {
				t.Fatalf("%q is not in the recording", c.old)
			}
			exchanges, err := parse("=== frames" + changed)
			if err != nil {
				t.Fatal(err)
			}
			if err := newPlayer(sample(t)).play(t.Context(), exchanges[0]); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want one with %q", err, c.want)
			}
		})
	}
}
