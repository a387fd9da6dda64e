package logging

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/slogtest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/secret"
)

func TestNew(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	New(&out, Auto, "warn").Info("quiet")
	New(&out, Auto, "warn").Warn("loud", "key", secret.New("hunter2"))
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("not a terminal, so want one JSON line: %v\n%s", err, &out)
	}
	if line["msg"] != "loud" || line["key"] != secret.Redacted {
		t.Errorf("line = %v", line)
	}
	out.Reset()
	New(&out, Text, "info").Info("x")
	if strings.HasPrefix(out.String(), "{") {
		t.Errorf("text asked for, got %s", &out)
	}
}

func TestTextHandler(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l := slog.New(newTextHandler(&out, slog.LevelDebug, false)).With("node", "a").WithGroup("g").With("x", 1)
	l.Warn("two\x1b[31mwords", "k", "a b", slog.Group("in", "y", `q"`), "n", "line\nbreak", "e", "")
	got := out.String()[len("15:04:05 "):]
	want := `WARN  two\x1b[31mwords node=a g.x=1 g.k="a b" g.in.y="q\"" g.n="line\nbreak" g.e=""` + "\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}

	out.Reset()
	q := &Requests{Listener: "gate", Logger: slog.New(newTextHandler(&out, slog.LevelInfo, false)), NewID: func() string { return "req_1" },
		Now: func() time.Time { return time.Time{} }}
	q.Wrap(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/x?secret=1", nil))
	if got, want := out.String()[len("15:04:05 "):], "INFO  404 GET /x 0ms bytes=19 request=req_1 listener=gate\n"; got != want {
		t.Errorf("request line %q, want %q", got, want)
	}

	out.Reset()
	slog.New(newTextHandler(&out, slog.LevelDebug, true)).Error("x")
	if !strings.Contains(out.String(), red+"ERROR"+reset) {
		t.Errorf("no colour: %q", &out)
	}
}

// TestTextHandlerContract holds the handler to what slog asks of every handler.
func TestTextHandlerContract(t *testing.T) {
	t.Parallel()
	var out *bytes.Buffer
	slogtest.Run(t, func(*testing.T) slog.Handler {
		out = new(bytes.Buffer)
		return newTextHandler(out, slog.LevelDebug, false)
	}, func(t *testing.T) map[string]any { return parseText(t, out.String()) })
}

// parseText reads a line back into nested groups.
func parseText(t *testing.T, line string) map[string]any {
	t.Helper()
	got := map[string]any{}
	rest := strings.TrimSpace(line)
	if rest[2] == ':' {
		got["time"], rest = rest[:8], rest[9:]
	}
	level, rest, _ := strings.Cut(rest, " ")
	got["level"] = level
	words := strings.Fields(rest)
	n := 0
	for n < len(words) && !strings.Contains(words[n], "=") {
		n++
	}
	got["msg"] = strings.Join(words[:n], " ")
	for _, w := range words[n:] {
		key, value, _ := strings.Cut(w, "=")
		at := got
		parts := strings.Split(key, ".")
		for _, g := range parts[:len(parts)-1] {
			if at[g] == nil {
				at[g] = map[string]any{}
			}
			at = at[g].(map[string]any)
		}
		at[parts[len(parts)-1]] = value
	}
	return got
}

func TestRequests(t *testing.T) {
	t.Parallel()
	type seen struct {
		listener, route, method string
		status                  int
	}
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tt := range []struct {
		name    string
		method  string
		target  string
		handler http.HandlerFunc
		want    map[string]any // without time and ms
		seen    seen
		panics  bool
	}{
		{
			name: "Plain", method: "GET", target: "/a%20b?key=hunter2",
			handler: func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") },
			want:    map[string]any{"level": "INFO", "method": "GET", "path": "/a%20b", "status": 200.0, "bytes": 5.0},
			seen:    seen{"gate", "", "GET", 200},
		},
		{
			name: "AllThatIsKnown", method: "POST", target: "/x",
			handler: func(w http.ResponseWriter, r *http.Request) {
				e := From(r.Context())
				e.Door("default", netip.MustParseAddr("192.0.2.1"))
				e.Path("/canonical")
				e.Dialect("ayyeka")
				e.Route("sites")
				e.Caller("cli_1", "cre_1", "jwt")
				e.Refused("no permission")
				e.Upstream("http://10.0.0.1", time.Second)
				w.WriteHeader(http.StatusEarlyHints)
				w.WriteHeader(http.StatusForbidden)
			},
			want: map[string]any{
				"level": "INFO", "method": "POST", "path": "/canonical", "status": 403.0, "bytes": 0.0, "tenant": "default", "dialect": "ayyeka",
				"route": "sites", "principal": "cli_1", "credential": "cre_1", "proof": "jwt", "reason": "no permission",
				"upstream": "http://10.0.0.1", "upstream_ms": 1000.0, "remote": "192.0.2.1",
			},
			seen: seen{"gate", "sites", "POST", 403},
		},
		{
			name: "InventedMethod", method: "HUNTER2", target: "/",
			handler: func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusMethodNotAllowed) },
			want:    map[string]any{"level": "INFO", "method": "other", "path": "/", "status": 405.0, "bytes": 0.0},
			seen:    seen{"gate", "", "other", 405},
		},
		{
			name: "CutShort", method: "GET", target: "/",
			handler: func(w http.ResponseWriter, r *http.Request) {
				io.WriteString(w, "half")
				panic(http.ErrAbortHandler)
			},
			want:   map[string]any{"level": "INFO", "method": "GET", "path": "/", "status": 200.0, "bytes": 4.0, "cut_short": true},
			seen:   seen{"gate", "", "GET", 200},
			panics: true,
		},
		{
			name: "Panic", method: "GET", target: "/",
			handler: func(w http.ResponseWriter, r *http.Request) { panic("oh") },
			want:    map[string]any{"level": "ERROR", "method": "GET", "path": "/", "status": 500.0, "bytes": 0.0},
			seen:    seen{"gate", "", "GET", 500},
			panics:  true,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			var got seen
			q := &Requests{
				Listener: "gate", Logger: New(&out, JSON, "info"),
				Now: func() time.Time { return begin }, NewID: func() string { return "req_1" },
				Observe: func(listener, route, method string, status int, _ time.Duration) {
					got = seen{listener, route, method, status}
				},
			}
			func() {
				defer func() {
					if (recover() != nil) != tt.panics {
						t.Errorf("panicked: %v, want %v", !tt.panics, tt.panics)
					}
				}()
				q.Wrap(tt.handler).ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), tt.method, tt.target, nil))
			}()

			var line map[string]any
			if err := json.Unmarshal(out.Bytes(), &line); err != nil {
				t.Fatalf("want one line: %v\n%s", err, &out)
			}
			delete(line, "time")
			delete(line, "ms")
			tt.want["msg"], tt.want["request"], tt.want["listener"] = "request", "req_1", "gate"
			if diff := cmp.Diff(tt.want, line); diff != "" {
				t.Errorf("line (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.seen, got, cmp.AllowUnexported(seen{})); diff != "" {
				t.Errorf("observed (-want +got):\n%s", diff)
			}
			if strings.Contains(out.String(), "hunter2") || strings.Contains(out.String(), "HUNTER2") {
				t.Errorf("the line holds what the caller presented: %s", &out)
			}
		})
	}
}

func TestRequestsQuiet(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	q := &Requests{Listener: "gate", Logger: New(&out, JSON, "info"), Quiet: true}
	var id string
	q.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		id = From(r.Context()).RequestID()
	})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
	if out.Len() != 0 || !strings.HasPrefix(id, "req_") {
		t.Errorf("output %q, request id %q", &out, id)
	}
}

// TestEventOfNobody: code that runs without a listener writes to no event.
func TestEventOfNobody(t *testing.T) {
	t.Parallel()
	e := From(context.Background())
	e.Route("x")
	e.Caller("a", "b", "c")
	if e.RequestID() != "" {
		t.Error("a nil event has an id")
	}
}

// TestHijackAndFlush sees that a socket can be taken over and a stream flushed
// through the recorder, over the network.
func TestHijackAndFlush(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	q := &Requests{Listener: "gate", Logger: New(&out, JSON, "info")}
	done := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		q.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, ok := w.(http.Flusher); !ok {
				t.Error("no Flusher")
			}
			conn, rw, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Errorf("hijack: %v", err)
				return
			}
			defer conn.Close()
			rw.WriteString("HTTP/1.1 299 Mine\r\nContent-Length: 0\r\n\r\n")
			rw.Flush()
		})).ServeHTTP(w, r)
	}))
	defer srv.Close()
	res, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	<-done
	if res.StatusCode != 299 || !strings.Contains(out.String(), `"status":101`) {
		t.Errorf("status %d, line %s", res.StatusCode, &out)
	}
}

func BenchmarkRequests(b *testing.B) {
	q := &Requests{Listener: "gate", Logger: New(io.Discard, JSON, "info")}
	h := q.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		From(r.Context()).Caller("cli_1", "cre_1", "jwt")
		w.WriteHeader(http.StatusNoContent)
	}))
	r := httptest.NewRequestWithContext(b.Context(), "GET", "/x", nil)
	w := httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}
