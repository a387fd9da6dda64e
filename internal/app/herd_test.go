package app_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"gatehouse.dev/internal/app/apptest"
)

// kind is one way to open a socket; i tells those of one herd apart.
type kind struct {
	path   func(i int) string
	header func(i int) http.Header
	hello  string // sent first; empty: nothing
	greets bool   // the server says something once the socket counts
}

func always[T any](v T) func(int) T { return func(int) T { return v } }

// echoes are sockets of a gateway route.
func echoes(key string) kind {
	return kind{path: always("/echo"), header: always(http.Header{"X-Api-Key": {key}})}
}

// tills are FD1 sockets.
func tills(key string) kind {
	return kind{
		path: always("/fd1/open_websocket"), header: always(http.Header{}),
		hello: `{"a":"fd1.session.login","v":{"apikey":"` + key + `"},"rq":"1"}`, greets: true,
	}
}

// boards are Acqueon sockets, each under a name of its own.
func boards(pair apptest.Credential, node string) kind {
	name := func(i int) string { return fmt.Sprintf("PerformanceMetrics_wall-%s-%d_1767225600", node, i) }
	password := base64.StdEncoding.EncodeToString([]byte(pair.Key + ":" + pair.Secret))
	return kind{
		path: func(i int) string { return "/AEDataTransmitter?name=" + name(i) },
		header: func(i int) http.Header {
			req := &http.Request{Header: http.Header{}}
			req.SetBasicAuth(name(i), password)
			return req.Header
		},
		greets: true,
	}
}

// herd is many sockets that only listen, and notes how and when each ended.
type herd struct {
	mu    sync.Mutex
	conns []net.Conn
	codes map[string]int
	times []time.Time
	all   sync.WaitGroup
}

func newHerd(t *testing.T) *herd {
	h := &herd{codes: make(map[string]int)}
	t.Cleanup(h.letGo)
	return h
}

// open adds n sockets at the gate, a bounded number at a time.
func (h *herd) open(t *testing.T, gate string, k kind, n int) {
	t.Helper()
	work := make(chan int)
	errs := make(chan error, n)
	var workers sync.WaitGroup
	for range 32 {
		workers.Go(func() {
			for i := range work {
				if err := h.one(gate, k, i); err != nil {
					errs <- err
				}
			}
		})
	}
	for i := range n {
		work <- i
	}
	close(work)
	workers.Wait()
	if len(errs) > 0 {
		t.Fatalf("%d of %d sockets at %s did not open, the first: %v", len(errs), n, k.path(0), <-errs)
	}
}

func (h *herd) one(gate string, k kind, i int) error {
	conn, in, err := h.dial(gate, k, i)
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.conns = append(h.conns, conn)
	h.mu.Unlock()
	h.all.Go(func() {
		defer conn.Close()
		code := listenToEnd(in, conn)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.codes[code]++
		h.times = append(h.times, time.Now())
	})
	return nil
}

// dial opens one, up to the greeting. Reading goes on with in.
func (*herd) dial(gate string, k kind, i int) (conn net.Conn, in io.Reader, err error) {
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	defer stop()
	d := ws.Dialer{Header: ws.HandshakeHeaderHTTP(k.header(i))}
	conn, early, _, err := d.Dial(ctx, "ws"+strings.TrimPrefix(gate, "http")+k.path(i))
	if err != nil {
		return nil, nil, err
	}
	in = conn
	if early != nil {
		in = io.MultiReader(early, conn)
	}
	if k.hello != "" {
		if err := ws.WriteFrame(conn, ws.MaskFrame(ws.NewTextFrame([]byte(k.hello)))); err != nil {
			return nil, nil, errors.Join(err, conn.Close())
		}
	}
	if k.greets {
		conn.SetReadDeadline(time.Now().Add(30 * time.Second))
		f, err := readFrame(in)
		conn.SetReadDeadline(time.Time{})
		if err != nil || f.Header.OpCode != ws.OpText {
			return nil, nil, errors.Join(fmt.Errorf("instead of a greeting: %v %s, %w", f.Header.OpCode, f.Payload, err), conn.Close())
		}
	}
	return conn, in, nil
}

// readFrame reads a frame of the server that this test has started.
func readFrame(r io.Reader) (ws.Frame, error) {
	h, err := ws.ReadHeader(r)
	if err != nil {
		return ws.Frame{}, err
	}
	f := ws.Frame{Header: h, Payload: make([]byte, h.Length)}
	_, err = io.ReadFull(r, f.Payload)
	return f, err
}

// listenToEnd answers pings and the close frame, and returns the close code or
// what came in place of one.
func listenToEnd(in io.Reader, conn net.Conn) string {
	for {
		f, err := readFrame(in)
		if err != nil {
			return "no close frame"
		}
		switch f.Header.OpCode {
		case ws.OpPing:
			_ = ws.WriteFrame(conn, ws.MaskFrame(ws.NewPongFrame(f.Payload)))
		case ws.OpClose:
			code, _ := ws.ParseCloseFrameData(f.Payload)
			_ = ws.WriteFrame(conn, ws.MaskFrame(ws.NewCloseFrame(f.Payload)))
			return fmt.Sprint(code)
		}
	}
}

// ended is how many ended, by close code.
func (h *herd) ended() map[string]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.codes)
}

// undisturbed fails when any has ended.
func (h *herd) undisturbed(t *testing.T, when string) {
	t.Helper()
	if e := h.ended(); len(e) > 0 {
		t.Errorf("%s: sockets ended, by code: %v", when, e)
	}
}

// awaitEnd waits until n have ended with the code and none otherwise, and returns
// when the first and the last did.
func (h *herd) awaitEnd(t *testing.T, code string, n int, patience time.Duration) (first, last time.Time) {
	t.Helper()
	for deadline := time.Now().Add(patience); h.ended()[code] < n && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	e := h.ended()
	if e[code] != n || len(e) != 1 {
		t.Fatalf("ended by code: %v, want %d with %s", e, n, code)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.times[0], h.times[len(h.times)-1]
}

// letGo hangs up and forgets what was noted.
func (h *herd) letGo() {
	h.mu.Lock()
	for _, c := range h.conns {
		c.Close()
	}
	h.mu.Unlock()
	h.all.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conns, h.times = nil, nil
	clear(h.codes)
}
