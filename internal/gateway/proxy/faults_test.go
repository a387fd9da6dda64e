package proxy_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gatehouse.dev/internal/gateway/proxy"
	"gatehouse.dev/internal/gateway/upstream"
)

func TestStreamIsFlushed(t *testing.T) {
	t.Parallel()
	overWires(t, func(t *testing.T, wire string) {
		next := make(chan struct{})
		pool := newBackend(t, wire, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			w.(http.Flusher).Flush()
			for i := range 3 {
				<-next
				fmt.Fprintf(w, "data: %d\n\n", i)
				w.(http.Flusher).Flush()
			}
		}))
		f := newFront(t, pool, proxy.Exchange{})
		res, err := http.Get(f.URL) // returns before any event
		if err != nil {
			t.Fatal(err)
		}
		in := bufio.NewReader(res.Body)
		for i := range 3 {
			next <- struct{}{}
			if line, err := in.ReadString('\n'); err != nil || line != fmt.Sprintf("data: %d\n", i) {
				t.Fatalf("event %d: %q, %v", i, line, err)
			}
			in.ReadString('\n')
		}
		if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("end: %v", err)
		}
	})
}

// TestFullDuplex: an echo that answers each line before the next is sent.
func TestFullDuplex(t *testing.T) {
	t.Parallel()
	overWires(t, func(t *testing.T, wire string) {
		pool := newBackend(t, wire, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).EnableFullDuplex()
			w.(http.Flusher).Flush()
			for in := bufio.NewReader(r.Body); ; {
				line, err := in.ReadString('\n')
				if err != nil {
					return
				}
				io.WriteString(w, "echo "+line)
				w.(http.Flusher).Flush()
			}
		}))
		f := newFront(t, pool, proxy.Exchange{})
		c, in := f.raw(t)
		fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n0\n\r\n")
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(res.Body)
		for i := range 3 {
			if line, err := lines.ReadString('\n'); err != nil || line != fmt.Sprintf("echo %d\n", i) {
				t.Fatalf("line %d: %q, %v", i, line, err)
			}
			fmt.Fprintf(c, "2\r\n%d\n\r\n", i+1)
		}
		fmt.Fprint(c, "0\r\n\r\n")
		if b, err := io.ReadAll(lines); err != nil || string(b) != "echo 3\n" {
			t.Errorf("rest %q, %v", b, err)
		}
	})
}

// TestCallerLeaves: the backend must hear of it, while it thinks and while it
// talks.
func TestCallerLeaves(t *testing.T) {
	t.Parallel()
	overWires(t, func(t *testing.T, wire string) {
		arrived, left := make(chan struct{}, 1), make(chan struct{}, 1)
		pool := newBackend(t, wire, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/talks" {
				w.(http.Flusher).Flush()
			}
			arrived <- struct{}{}
			<-r.Context().Done()
			left <- struct{}{}
		}))
		f := newFront(t, pool, proxy.Exchange{})
		for _, path := range []string{"/thinks", "/talks"} {
			ctx, cancel := context.WithCancel(t.Context())
			req, _ := http.NewRequestWithContext(ctx, "GET", f.URL+path, nil)
			go func() {
				if res, err := http.DefaultClient.Do(req); err == nil {
					io.Copy(io.Discard, res.Body)
				}
			}()
			<-arrived
			cancel()
			select {
			case <-left:
			case <-time.After(10 * time.Second):
				t.Fatalf("%s: the backend was not told", path)
			}
			if err := f.outcome(t); err == nil {
				t.Errorf("%s: the exchange counts as delivered", path)
			}
		}
	})
}

// TestExchangeIsCut: when its ground goes, a download stops at both ends, also
// when the caller has stopped reading.
func TestExchangeIsCut(t *testing.T) {
	t.Parallel()
	overWires(t, func(t *testing.T, wire string) {
		left := make(chan struct{})
		pool := newBackend(t, wire, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for chunk := make([]byte, 64<<10); ; {
				if _, err := w.Write(chunk); err != nil {
					close(left)
					return
				}
				w.(http.Flusher).Flush()
				time.Sleep(time.Millisecond)
			}
		}))
		f := newFront(t, pool, proxy.Exchange{})
		res, err := http.Get(f.URL)
		if err != nil {
			t.Fatal(err)
		}
		io.CopyN(io.Discard, res.Body, 1<<20)
		f.cancel()
		if _, err := io.Copy(io.Discard, res.Body); err == nil {
			t.Error("the caller saw a regular end")
		}
		if err := f.outcome(t); err == nil {
			t.Error("the exchange counts as delivered")
		}
		select {
		case <-left:
		case <-time.After(10 * time.Second):
			t.Error("the backend goes on")
		}
	})
}

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	overWires(t, func(t *testing.T, wire string) {
		pool := newBackend(t, wire, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if n, err := io.Copy(io.Discard, r.Body); err == nil && n > 1000 {
				t.Errorf("%d bytes arrived whole", n)
			}
		}))
		f := newFront(t, pool, proxy.Exchange{MaxBody: 1000})
		for name, c := range map[string]struct {
			body io.Reader
			want int
		}{
			"announced, just right": {bytes.NewReader(make([]byte, 1000)), 200},
			"announced, too large":  {bytes.NewReader(make([]byte, 1001)), 413},
			"chunked, just right":   {io.MultiReader(bytes.NewReader(make([]byte, 1000))), 200},
			"chunked, too large":    {io.MultiReader(bytes.NewReader(make([]byte, 100_000))), 413},
		} {
			res, err := http.Post(f.URL, "text/plain", c.body)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			res.Body.Close()
			if res.StatusCode != c.want {
				t.Errorf("%s: %d, want %d", name, res.StatusCode, c.want)
			}
		}
	})
}

func TestMalformedChunk(t *testing.T) {
	t.Parallel()
	overWires(t, func(t *testing.T, wire string) {
		pool := newBackend(t, wire, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.ReadAll(r.Body); err == nil {
				t.Error("a broken body arrived whole")
			}
		}))
		f := newFront(t, pool, proxy.Exchange{})
		c, in := f.raw(t)
		fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n")
		res, err := http.ReadResponse(in, nil)
		if err != nil || res.StatusCode != 400 {
			t.Errorf("%v, %v", res, err)
		}
	})
}

// TestStalledUpload: a caller that stops sending is let go.
func TestStalledUpload(t *testing.T) {
	t.Parallel()
	overWires(t, func(t *testing.T, wire string) {
		pool := newBackend(t, wire, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.ReadAll(r.Body) }))
		f := newFront(t, pool, proxy.Exchange{Stall: 200 * time.Millisecond})
		c, in := f.raw(t)
		fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
		res, err := http.ReadResponse(in, nil)
		if err != nil || res.StatusCode != 408 {
			t.Errorf("%v, %v", res, err)
		}
	})
}

// TestStalledDownload: a caller that stops reading is let go.
func TestStalledDownload(t *testing.T) {
	t.Parallel()
	overWires(t, func(t *testing.T, wire string) {
		pool := newBackend(t, wire, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for range 2000 {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}))
		f := newFront(t, pool, proxy.Exchange{Stall: 300 * time.Millisecond})
		c, _ := f.raw(t)
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if err := f.outcome(t); err == nil {
			t.Error("128 MiB were delivered to nobody")
		}
	})
}

// TestEarlyAnswer: a backend that answers without reading a long upload ends
// the exchange even when the caller sends no more.
func TestEarlyAnswer(t *testing.T) {
	t.Parallel()
	overWires(t, func(t *testing.T, wire string) {
		pool := newBackend(t, wire, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).EnableFullDuplex()
			w.WriteHeader(http.StatusUnauthorized)
		}))
		f := newFront(t, pool, proxy.Exchange{})
		c, in := f.raw(t)
		fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc")
		res, err := http.ReadResponse(in, nil)
		if err != nil || res.StatusCode != 401 {
			t.Fatalf("%v, %v", res, err)
		}
		if err := f.outcome(t); err != nil {
			t.Errorf("outcome: %v", err)
		}
	})
}

func TestUpstreamTrouble(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	// scripted answers each connection with fixed bytes and closes it.
	scripted := func(answer string) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					http.ReadRequest(bufio.NewReader(c))
					if answer == "hang" {
						<-hang
					}
					io.WriteString(c, answer)
					c.Close()
				}()
			}
		}()
		return "http://" + l.Addr().String()
	}
	for name, c := range map[string]struct {
		address string
		want    int
	}{
		"nobody listens":   {refusedAddress(t), 502},
		"closes at once":   {scripted(""), 502},
		"garbage":          {scripted("SSH-2.0-OpenSSH\r\n\r\n"), 502},
		"headers too long": {scripted("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 300<<10) + "\r\n\r\n"), 502},
		"switches":         {scripted("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), 502},
		"status 050":       {scripted("HTTP/1.1 050 Low\r\nContent-Length: 0\r\n\r\n"), 502},
		"endless 1xx":      {scripted(strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 1000)), 502},
		"both lengths":     {scripted("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"), 502},
		"too slow":         {scripted("hang"), 504},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := newPool(t, upstream.Config{Name: "b", Addresses: []string{c.address}, ResponseTimeout: 500 * time.Millisecond})
			f := newFront(t, pool, proxy.Exchange{})
			res, err := http.Get(f.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, _ := io.ReadAll(res.Body)
			if res.StatusCode != c.want || res.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%d %s, want %d", res.StatusCode, body, c.want)
			}
			if host := strings.TrimPrefix(c.address, "http://"); strings.Contains(string(body), host) {
				t.Errorf("the answer names the backend's address: %s", body)
			}
		})
	}
}

// TestTruncatedAnswer: a backend that breaks off must not look like one that
// has finished.
func TestTruncatedAnswer(t *testing.T) {
	t.Parallel()
	overWires(t, func(t *testing.T, wire string) {
		pool := newBackend(t, wire, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "half")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}))
		f := newFront(t, pool, proxy.Exchange{})
		res, err := http.Get(f.URL)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(res.Body); err == nil {
			t.Errorf("read %q to a regular end", b)
		}
	})
}

// TestUnreadBodies: a caller's connection goes on after a backend has ignored
// a body, or could not be reached.
func TestUnreadBodies(t *testing.T) {
	t.Parallel()
	pools := map[string]*upstream.Pool{"unreachable": newPool(t, upstream.Config{Name: "b", Addresses: []string{refusedAddress(t)}})}
	for _, wire := range wires {
		pools[wire] = newBackend(t, wire, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	}
	for name, pool := range pools {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFront(t, pool, proxy.Exchange{})
			c, in := f.raw(t)
			for i := range 20 {
				fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
				res, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatalf("request %d: %v", i, err)
				}
				io.Copy(io.Discard, res.Body)
			}
		})
	}
}

// TestHTTP2Caller runs the ways of ending over HTTP/2 from the caller's side.
func TestHTTP2Caller(t *testing.T) {
	t.Parallel()
	overWires(t, func(t *testing.T, wire string) {
		pool := newBackend(t, wire, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).EnableFullDuplex()
			switch r.URL.Path {
			case "/early":
				w.WriteHeader(401)
			case "/echo":
				w.Header().Set("Trailer", "X-Sum")
				w.(http.Flusher).Flush()
				io.Copy(w, r.Body)
				w.Header().Set("X-Sum", r.Trailer.Get("X-In"))
			}
		}))
		f := newFront(t, pool, proxy.Exchange{})
		h2 := httptest.NewUnstartedServer(f.Config.Handler)
		h2.EnableHTTP2 = true
		h2.StartTLS()
		t.Cleanup(h2.Close)
		t.Cleanup(h2.CloseClientConnections)

		req, _ := http.NewRequest("POST", h2.URL+"/echo", io.MultiReader(strings.NewReader("body")))
		req.Trailer = http.Header{"X-In": {"sum"}}
		res, err := h2.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(res.Body); res.ProtoMajor != 2 || string(b) != "body" || err != nil || res.Trailer.Get("X-Sum") != "sum" {
			t.Errorf("%s %q %v %v", res.Proto, b, err, res.Trailer)
		}

		stalled, stop := io.Pipe()
		defer stop.Close()
		go stop.Write([]byte("abc"))
		res, err = h2.Client().Post(h2.URL+"/early", "text/plain", stalled)
		if err != nil || res.StatusCode != 401 {
			t.Fatalf("%v, %v", res, err)
		}
		f.outcome(t)
		if err := f.outcome(t); err != nil {
			t.Errorf("outcome: %v", err)
		}
	})
}
