package h1

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// backend is a listener whose connections are served by a script.
type backend struct {
	*Client
	conns atomic.Int32
}

// newBackend calls script with each connection and its number from 1.
func newBackend(t testing.TB, script func(n int, c net.Conn, in *bufio.Reader)) *backend {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	b := &backend{}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n := int(b.conns.Add(1))
			go func() {
				defer c.Close()
				script(n, c, bufio.NewReader(c))
			}()
		}
	}()
	b.Client = &Client{
		Dial: func(ctx context.Context) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", l.Addr().String())
		},
		ResponseTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxIdle: 10, MaxHeader: 16 << 10,
	}
	t.Cleanup(b.CloseIdle)
	return b
}

// answers serves requests with one answer each.
func answers(answer string) func(int, net.Conn, *bufio.Reader) {
	return func(_ int, c net.Conn, in *bufio.Reader) {
		for {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			io.Copy(io.Discard, r.Body)
			io.WriteString(c, answer)
		}
	}
}

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

func request(t testing.TB, method string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://backend/path", body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// do performs one exchange and reads it to its end.
func (b *backend) do(t testing.TB, method string, body io.Reader) (string, error) {
	t.Helper()
	res, err := b.Do(request(t, method, body), nil)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return string(text), err
}

func TestReuse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer string
		conns  int32
	}{
		"length":            {ok, 1},
		"chunked":           {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 1},
		"asked to close":    {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", 3},
		"old protocol":      {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 3},
		"says more at once": {ok + "HTTP/1.1 200 OK\r\n", 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBackend(t, answers(c.answer))
			for range 3 {
				if got, err := b.do(t, "GET", nil); got != "ok" || err != nil {
					t.Fatalf("%q, %v", got, err)
				}
			}
			if n := b.conns.Load(); n != c.conns {
				t.Errorf("%d connections, want %d", n, c.conns)
			}
		})
	}
}

// TestUnaskedData: an answer that comes before its request would be given to
// whoever asks next.
func TestUnaskedData(t *testing.T) {
	t.Parallel()
	said := make(chan struct{})
	b := newBackend(t, func(n int, c net.Conn, in *bufio.Reader) {
		http.ReadRequest(in)
		io.WriteString(c, ok)
		if n == 1 {
			time.Sleep(20 * time.Millisecond)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
			close(said)
		}
		http.ReadRequest(in)
		io.WriteString(c, ok)
	})
	b.do(t, "GET", nil)
	<-said
	time.Sleep(20 * time.Millisecond)
	if got, err := b.do(t, "GET", nil); got != "ok" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// TestClosedWhileIdle: a connection that the backend has closed is not used,
// whatever the method.
func TestClosedWhileIdle(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{}, 10)
	b := newBackend(t, func(n int, c net.Conn, in *bufio.Reader) {
		http.ReadRequest(in)
		io.WriteString(c, ok)
		time.Sleep(10 * time.Millisecond)
		c.Close()
		closed <- struct{}{}
	})
	for range 3 {
		if _, err := b.do(t, "POST", strings.NewReader("x")); err != nil {
			t.Error(err)
		}
		<-closed
		time.Sleep(10 * time.Millisecond)
	}
}

// TestRepeatOnlyWhatMayBe: the backend hangs up on the second request of each
// connection without an answer.
func TestRepeatOnlyWhatMayBe(t *testing.T) {
	t.Parallel()
	var received atomic.Int32
	b := newBackend(t, func(n int, c net.Conn, in *bufio.Reader) {
		http.ReadRequest(in)
		received.Add(1)
		io.WriteString(c, ok)
		if _, err := http.ReadRequest(in); err == nil {
			received.Add(1)
		}
	})
	b.do(t, "GET", nil)
	if got, err := b.do(t, "GET", nil); got != "ok" || err != nil {
		t.Errorf("GET was not repeated: %q, %v", got, err)
	}
	before := received.Load()
	if _, err := b.do(t, "POST", nil); err == nil {
		t.Error("POST was repeated")
	}
	if n := received.Load() - before; n != 1 {
		t.Errorf("POST was received %d times", n)
	}
	b.do(t, "GET", nil)
	before = received.Load()
	if _, err := b.do(t, "PUT", strings.NewReader("x")); err == nil {
		t.Error("PUT was answered")
	}
	if n := received.Load() - before; n != 1 {
		t.Errorf("PUT with a body was received %d times", n)
	}
}

func TestIdleTimeout(t *testing.T) {
	t.Parallel()
	b := newBackend(t, answers(ok))
	b.IdleTimeout = 30 * time.Millisecond
	b.do(t, "GET", nil)
	time.Sleep(100 * time.Millisecond)
	b.mu.Lock()
	n, sweep := len(b.idle), b.sweep
	b.mu.Unlock()
	if n != 0 || sweep != nil {
		t.Errorf("%d idle connections, sweep %v", n, sweep)
	}
	if got, err := b.do(t, "GET", nil); got != "ok" || err != nil || b.conns.Load() != 2 {
		t.Errorf("%q, %v, %d connections", got, err, b.conns.Load())
	}
}

func TestSlots(t *testing.T) {
	t.Parallel()
	b := newBackend(t, answers(ok))
	b.Slots = make(chan struct{}, 1)
	res, err := b.Do(request(t, "GET", nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := b.Do(request(t, "GET", nil).WithContext(ctx), nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second connection at once: %v", err)
	}
	res.Body.Close()
	for range 5 { // nor does anything leak
		if got, err := b.do(t, "GET", nil); got != "ok" || err != nil {
			t.Fatalf("%q, %v", got, err)
		}
	}
	b.Dial = func(context.Context) (net.Conn, error) { return nil, errors.New("refused") }
	b.CloseIdle()
	for range 3 {
		if _, err := b.do(t, "GET", nil); err == nil || err.Error() != "refused" {
			t.Errorf("error = %v", err)
		}
	}
	if len(b.Slots) != 0 {
		t.Errorf("%d slots taken by nobody", len(b.Slots))
	}
}

// TestDeadlineIsForOneExchange: one that is left over neither ends a slow body
// nor makes an idle connection look broken.
func TestDeadlineIsForOneExchange(t *testing.T) {
	t.Parallel()
	b := newBackend(t, func(n int, c net.Conn, in *bufio.Reader) {
		for {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			if r.Method == "GET" {
				io.WriteString(c, ok)
				continue
			}
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsl")
			time.Sleep(300 * time.Millisecond)
			io.WriteString(c, "ow")
		}
	})
	b.ResponseTimeout = 200 * time.Millisecond
	for _, c := range []struct {
		method, want string
		rest         time.Duration
	}{{"GET", "ok", 0}, {"DELETE", "slow", 0}, {"GET", "ok", 300 * time.Millisecond}, {"GET", "ok", 0}, {"POST", "slow", 0}} {
		if got, err := b.do(t, c.method, nil); got != c.want || err != nil {
			t.Errorf("%s: %q, %v", c.method, got, err)
		}
		time.Sleep(c.rest)
	}
	if n := b.conns.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestTimeoutIsNotRepeated(t *testing.T) {
	t.Parallel()
	var received atomic.Int32
	b := newBackend(t, func(n int, c net.Conn, in *bufio.Reader) {
		for {
			if _, err := http.ReadRequest(in); err != nil {
				return
			}
			if received.Add(1) == 1 {
				io.WriteString(c, ok)
			}
		}
	})
	b.ResponseTimeout = 50 * time.Millisecond
	b.do(t, "GET", nil)
	if _, err := b.do(t, "GET", nil); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("error = %v", err)
	}
	if n := received.Load(); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

// TestSplit: whatever ends up in a request, it stays one request.
func TestSplit(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*http.Request){
		"value LF":    func(r *http.Request) { r.Header["X"] = []string{"a\nEvil: 1"} },
		"value CRLF":  func(r *http.Request) { r.Header["X"] = []string{"a\r\n\r\nGET /evil HTTP/1.1"} },
		"value NUL":   func(r *http.Request) { r.Header["X"] = []string{"a\x00"} },
		"name colon":  func(r *http.Request) { r.Header["X: y"] = []string{"a"} },
		"name space":  func(r *http.Request) { r.Header["X "] = []string{"a"} },
		"empty name":  func(r *http.Request) { r.Header[""] = []string{"a"} },
		"method":      func(r *http.Request) { r.Method = "GET /evil HTTP/1.1\r\nX:" },
		"host":        func(r *http.Request) { r.Host = "a\r\nEvil: 1" },
		"query space": func(r *http.Request) { r.URL.RawQuery = "a HTTP/1.1" },
		"opaque":      func(r *http.Request) { r.URL = &url.URL{Scheme: "http", Opaque: "/a b"} },
		"length":      func(r *http.Request) { r.Header["Content-Length"] = []string{"3"} },
		"encoding":    func(r *http.Request) { r.Header["Transfer-Encoding"] = []string{"chunked"} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBackend(t, answers(ok))
			r := request(t, "GET", nil)
			change(r)
			if res, err := b.Do(r, nil); err == nil {
				t.Errorf("sent; %s", res.Status)
			}
		})
	}
}

// TestShortBody: a body that ends early must not be completed by the next
// request on the connection.
func TestShortBody(t *testing.T) {
	t.Parallel()
	b := newBackend(t, answers(ok))
	r := request(t, "POST", io.MultiReader(strings.NewReader("abc")))
	r.ContentLength = 10
	if _, err := b.Do(r, nil); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error = %v", err)
	}
	if len(b.idle) != 0 {
		t.Error("the connection was kept")
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	b := newBackend(t, func(_ int, c net.Conn, in *bufio.Reader) {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if r.URL.Path == "/path" {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
		}
		in.ReadByte()
	})
	because := errors.New("because")
	ctx, cancel := context.WithCancelCause(t.Context())
	res, err := b.Do(request(t, "GET", nil).WithContext(ctx), nil)
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(30*time.Millisecond, func() { cancel(because) })
	if _, err := io.ReadAll(res.Body); !errors.Is(err, because) {
		t.Errorf("body: %v", err)
	}
	ctx, cancel = context.WithCancelCause(t.Context())
	time.AfterFunc(30*time.Millisecond, func() { cancel(because) })
	r := request(t, "GET", nil).WithContext(ctx)
	r.URL.Path = "/silent"
	if _, err := b.Do(r, nil); !errors.Is(err, because) {
		t.Errorf("headers: %v", err)
	}
}

// FuzzAnswer: whatever a backend says, the exchange ends, and a connection is
// kept only if nothing is left on it.
func FuzzAnswer(f *testing.F) {
	f.Add(ok)
	f.Add("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok)
	f.Add("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n1\r\na\r\n0\r\nX: 1\r\n\r\n")
	f.Add("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello")
	f.Add("HTTP/1.0 200 OK\n\nrest")
	f.Fuzz(func(t *testing.T, answer string) {
		near, far := net.Pipe()
		go func() {
			r, err := http.ReadRequest(bufio.NewReader(far))
			if err == nil {
				io.Copy(io.Discard, r.Body)
				io.WriteString(far, answer)
			}
			far.Close()
		}()
		c := &Client{
			Dial:            func(context.Context) (net.Conn, error) { return near, nil },
			ResponseTimeout: time.Second, IdleTimeout: time.Minute, MaxIdle: 1, MaxHeader: 1 << 10,
		}
		defer c.CloseIdle()
		res, err := c.Do(request(t, "GET", nil), func(int, http.Header) error { return nil })
		if err != nil {
			return
		}
		if res.StatusCode >= 100 && res.StatusCode < 200 {
			t.Errorf("status %d is not final", res.StatusCode)
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		for _, k := range c.idle {
			if k.in.Buffered() > 0 {
				t.Errorf("kept with %d bytes unread", k.in.Buffered())
			}
		}
	})
}

func BenchmarkExchange(b *testing.B) {
	s := newBackend(b, answers(ok))
	b.ReportAllocs()
	for b.Loop() {
		if got, err := s.do(b, "GET", nil); got != "ok" || err != nil {
			b.Fatal(fmt.Sprint(got, err))
		}
	}
}
