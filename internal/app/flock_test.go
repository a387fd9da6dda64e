package app_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// flock is many sockets and downloads that were opened with one credential. It
// notes when each ended, as its client saw it.
type flock struct {
	name string

	mu     sync.Mutex
	open   int
	ended  int
	last   time.Time
	odd    []string // ends that a client would not understand
	change chan struct{}
	close  []func()
}

// presents is how a client shows its credential.
type presents func(h http.Header)

func withKey(key string) presents { return func(h http.Header) { h.Set("X-API-Key", key) } }
func withBearer(tok string) presents {
	return func(h http.Header) { h.Set("Authorization", "Bearer "+tok) }
}

// openFlock opens sockets on a path of the gate, and downloads.
func openFlock(t *testing.T, name, gate string, who presents, path string, sockets, downloads int) *flock {
	t.Helper()
	f := &flock{name: name, change: make(chan struct{}, 1)}
	t.Cleanup(f.letGo)
	f.add(t, gate, who, path, sockets, downloads)
	return f
}

// add opens more.
func (f *flock) add(t *testing.T, gate string, who presents, path string, sockets, downloads int) {
	t.Helper()
	work := make(chan func() error)
	var workers sync.WaitGroup
	errs := make(chan error, 1)
	for range 32 {
		workers.Go(func() {
			for do := range work {
				if err := do(); err != nil {
					select {
					case errs <- err:
					default:
					}
				}
			}
		})
	}
	for range sockets {
		work <- func() error { return f.socket(t.Context(), gate+path, who) }
	}
	for range downloads {
		work <- func() error { return f.download(gate, who) }
	}
	close(work)
	workers.Wait()
	select {
	case err := <-errs:
		t.Fatalf("open %s: %v", f.name, err)
	default:
	}
}

// socket opens one and leaves a reader behind that notes its end.
func (f *flock) socket(ctx context.Context, at string, who presents) error {
	u, err := url.Parse(at)
	if err != nil {
		return err
	}
	header := http.Header{}
	who(header)
	ctx, stop := context.WithTimeout(ctx, 30*time.Second)
	defer stop()
	d := ws.Dialer{Header: ws.HandshakeHeaderHTTP(header)}
	conn, early, _, err := d.Dial(ctx, "ws://"+u.Host+u.Path)
	if err != nil {
		return err
	}
	var in io.Reader = conn
	if early != nil {
		in = io.MultiReader(early, conn)
	}
	f.opened(func() { conn.Close() })
	go func() { f.end(readUntilClose(in, conn)) }()
	return nil
}

// readUntilClose reads frames until the gate says goodbye, answers that, and
// returns what was odd about it.
func readUntilClose(in io.Reader, conn net.Conn) string {
	defer conn.Close()
	for {
		head, err := ws.ReadHeader(in)
		if err != nil {
			return fmt.Sprintf("ended without a close frame: %v", err)
		}
		payload := make([]byte, head.Length)
		if _, err := io.ReadFull(in, payload); err != nil {
			return fmt.Sprintf("ended inside a frame: %v", err)
		}
		if head.OpCode != ws.OpClose {
			continue
		}
		code, _ := ws.ParseCloseFrameData(payload)
		_ = ws.WriteFrame(conn, ws.MaskFrame(ws.NewCloseFrame(payload)))
		if code != ws.StatusPolicyViolation {
			return fmt.Sprintf("close code %d", code)
		}
		return ""
	}
}

func (f *flock) download(gate string, who presents) error {
	ctx, stop := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, gate+"/files/long?lines=1000000&every=500ms", nil)
	if err != nil {
		stop()
		return err
	}
	who(req.Header)
	res, err := downloads.Do(req)
	if err != nil {
		stop()
		return err
	}
	if res.StatusCode != http.StatusOK {
		stop()
		return errors.Join(fmt.Errorf("download: %s", res.Status), res.Body.Close())
	}
	lines := bufio.NewReader(res.Body)
	if _, err := lines.ReadString('\n'); err != nil {
		stop()
		return err
	}
	f.opened(stop)
	go func() {
		defer res.Body.Close()
		odd := ""
		if _, err := io.Copy(io.Discard, lines); err == nil {
			odd = "a download that was cut looks whole"
		}
		f.end(odd)
	}()
	return nil
}

// downloads has a connection for each, as many clients would.
var downloads = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func (f *flock) opened(closer func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open++
	f.close = append(f.close, closer)
}

func (f *flock) end(odd string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended++
	f.last = time.Now()
	if odd != "" {
		f.odd = append(f.odd, odd)
	}
	select {
	case f.change <- struct{}{}:
	default:
	}
}

// awaitAll waits until all have ended and returns when the last one did.
func (f *flock) awaitAll(t *testing.T) time.Time {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		f.mu.Lock()
		open, ended, last, odd := f.open, f.ended, f.last, f.odd
		f.mu.Unlock()
		if ended == open {
			if len(odd) > 0 {
				t.Errorf("%s: %d ended oddly, the first: %s", f.name, len(odd), odd[0])
			}
			return last
		}
		select {
		case <-f.change:
		case <-deadline:
			t.Fatalf("%s: %d of %d have ended", f.name, ended, open)
		}
	}
}

// untouched fails when any has ended.
func (f *flock) untouched(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended > 0 {
		t.Errorf("%s: %d of %d have ended, want none; %s", f.name, f.ended, f.open, strings.Join(f.odd, "; "))
	}
}

func (f *flock) letGo() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, closer := range f.close {
		closer()
	}
	f.close = nil
}
