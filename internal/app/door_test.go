package app

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"gatehouse.dev/internal/config"
)

func openTestDoor(t *testing.T, h http.Handler, change func(*doorOptions)) *door {
	t.Helper()
	o := doorOptions{
		name: "gate", address: "127.0.0.1:0", handler: h, limits: config.Default().Limits,
		logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&o)
	}
	d, err := openDoor(o)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- d.serve() }()
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), time.Second)
		defer stop()
		_ = d.close(ctx)
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return d
}

// TestCloseDrains: a request in progress is answered, a new connection is not.
func TestCloseDrains(t *testing.T) {
	t.Parallel()
	inside, goOn := make(chan struct{}), make(chan struct{})
	d := openTestDoor(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(inside)
		<-goOn
		io.WriteString(w, "late but whole")
	}), nil)
	answer := make(chan string, 1)
	go func() {
		res, err := http.Get(d.url())
		if err != nil {
			answer <- err.Error()
			return
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		answer <- string(body)
	}()
	<-inside
	closed := make(chan error, 1)
	go func() { closed <- d.close(t.Context()) }()
	for {
		c, err := net.Dial("tcp", d.listener.Addr().String())
		if err != nil {
			break // no longer listening
		}
		c.Close()
	}
	close(goOn)
	if got := <-answer; got != "late but whole" {
		t.Errorf("the request in progress got %q", got)
	}
	if err := <-closed; err != nil {
		t.Errorf("close: %v", err)
	}
}

// TestCloseCuts: what is still there when the time is over ends.
func TestCloseCuts(t *testing.T) {
	t.Parallel()
	inside := make(chan struct{})
	d := openTestDoor(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(inside)
		<-r.Context().Done()
	}), nil)
	go http.Get(d.url())
	<-inside
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer stop()
	if err := d.close(ctx); err == nil || !strings.Contains(err.Error(), "cut requests short") {
		t.Errorf("close = %v, want that it says so", err)
	}
}

// TestBodyDeadline: a body may be slow, and an answer may be long; a caller that
// stops in the middle of its body is not waited for.
func TestBodyDeadline(t *testing.T) {
	t.Parallel()
	d := openTestDoor(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, "gave up", http.StatusRequestTimeout)
			return
		}
		time.Sleep(1200 * time.Millisecond) // longer than the patience: it is for bodies only
		select {
		case <-r.Context().Done():
			t.Error("the request was ended after its body was read")
		default:
		}
		fmt.Fprintf(w, "got %d bytes", len(body))
	}), func(o *doorOptions) { o.limits.BodyTimeout = config.Duration(time.Second) })

	send := func(parts ...string) string {
		c, err := net.Dial("tcp", d.listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(10 * time.Second))
		fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n")
		for _, p := range parts {
			fmt.Fprint(c, p)
			time.Sleep(300 * time.Millisecond)
		}
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		return strings.TrimSpace(string(body))
	}
	if got := send("a", "b", "c", "d", "e", "f"); got != "got 6 bytes" {
		t.Errorf("slow but steady: %q", got)
	}
	if got := send("ab"); got != "gave up" {
		t.Errorf("stopped in the middle: %q", got)
	}
}

// TestUnreadBody: whoever is refused and does not send the body it announced
// gets its answer, and does not keep the connection.
func TestUnreadBody(t *testing.T) {
	t.Parallel()
	d := openTestDoor(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "who are you?", http.StatusUnauthorized)
	}), func(o *doorOptions) { o.limits.BodyTimeout = config.Duration(100 * time.Millisecond) })
	c, err := net.Dial("tcp", d.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(3 * time.Second))
	fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n")
	answer, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 401 ") {
		t.Errorf("%q, %v; want 401 and the end", answer, err)
	}
}

// TestStreamThatIsNotRead: in HTTP/2 a caller can allow an answer no bytes at
// all. It is not waited for.
func TestStreamThatIsNotRead(t *testing.T) {
	t.Parallel()
	d := openTestDoor(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "nobody will read this")
	}), func(o *doorOptions) { o.limits.BodyTimeout = config.Duration(100 * time.Millisecond) })
	c, err := net.Dial("tcp", d.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(3 * time.Second))
	io.WriteString(c, http2.ClientPreface)
	f := http2.NewFramer(c, c)
	f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	var head bytes.Buffer
	enc := hpack.NewEncoder(&head)
	for _, h := range [][2]string{{":method", "GET"}, {":scheme", "http"}, {":authority", "x"}, {":path", "/"}} {
		enc.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]})
	}
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: head.Bytes(), EndStream: true, EndHeaders: true})
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			t.Fatalf("%v; want the stream to be reset", err)
		}
		if _, reset := frame.(*http2.RSTStreamFrame); reset {
			return
		}
	}
}

func TestUnixSocketLeftBehind(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	old.SetUnlinkOnClose(false)
	old.Close()
	d := openTestDoor(t, http.NotFoundHandler(), func(o *doorOptions) {
		o.address, o.mode = config.Address("unix:"+path), 0o600
	})
	if d.url() != "unix:"+path {
		t.Errorf("url = %s", d.url())
	}
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	defer client.CloseIdleConnections()
	res, err := client.Get("http://x/")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusNotFound {
		t.Errorf("status %d", res.StatusCode)
	}
}
