package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse.dev/internal/adminclient"
)

// child is `gatehouse serve` as a process of its own, which can be killed like
// one.
type child struct {
	t   *testing.T
	bin string // this test program under the name of the command
	dir string

	cmd  *exec.Cmd
	done chan struct{}
	log  *lines
	gate string // URL
	api  *adminclient.Client
}

// newChild makes an installation, with one route for keys to a backend that
// answers everybody.
func newChild(t *testing.T) *child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{t: t, dir: t.TempDir(), log: new(lines)}
	c.bin = filepath.Join(c.dir, "gatehouse")
	if err := os.Symlink(self, c.bin); err != nil { // testscript.Main goes by the name
		t.Fatal(err)
	}
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "in") }))
	t.Cleanup(backend.Close)
	c.run("init")
	more := fmt.Sprintf("\nupstreams:\n  back: {urls: [%q]}\nroutes:\n  - {name: in, path: /in, credentials: [key, basic], roles: [ayyeka/operator], upstream: back}\n", backend.URL)
	file := filepath.Join(c.dir, "gatehouse.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(text, more...), 0o600); err != nil {
		t.Fatal(err)
	}
	c.api, err = adminclient.New(adminclient.Options{Socket: filepath.Join(c.dir, "data", "admin.sock")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.kill()
		if t.Failed() {
			t.Logf("the server's last words:\n%s", c.log)
		}
	})
	return c
}

func (c *child) command(args ...string) *exec.Cmd {
	cmd := exec.Command(c.bin, args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "GATEHOUSE_GATE_LISTEN=127.0.0.1:0", "GATEHOUSE_DESK_LISTEN=127.0.0.1:0", "GATEHOUSE_OPS_LISTEN=off",
		"GATEHOUSE_LOG_FORMAT=json")
	return cmd
}

// run runs another command of the program to its end.
func (c *child) run(args ...string) string {
	c.t.Helper()
	out, err := c.command(args...).CombinedOutput()
	if err != nil {
		c.t.Fatalf("gatehouse %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// start starts the server and waits until it serves.
func (c *child) start() {
	c.t.Helper()
	c.cmd = c.command("serve")
	errs, err := c.cmd.StderrPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	c.done = make(chan struct{})
	gate := make(chan string, 1)
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	go func() {
		defer close(c.done)
		c.read(errs, gate)
		c.cmd.Wait()
	}()
	select {
	case c.gate = <-gate:
	case <-c.done:
		c.t.Fatalf("the server ended at its start:\n%s", c.log)
	case <-time.After(30 * time.Second):
		c.t.Fatalf("the server does not serve:\n%s", c.log)
	}
	c.await()
}

// read keeps the log, and finds the gate in it.
func (c *child) read(r io.Reader, gate chan<- string) {
	for s := bufio.NewScanner(r); s.Scan(); {
		c.log.add(s.Text())
		var line struct{ Msg, Listener, URL string }
		if json.Unmarshal(s.Bytes(), &line) == nil && line.Msg == "listening" && line.Listener == "gate" {
			gate <- line.URL
		}
	}
}

// await waits until the admin socket answers, which is bound before it is
// served.
func (c *child) await() {
	c.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		err := c.api.Get(c.t.Context(), "/v1/self", nil, nil)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("the admin API does not answer: %v", err)
		}
	}
}

// kill ends the server as a power cut does. What it had is in the kernel's
// hands or lost.
func (c *child) kill() {
	if c.cmd == nil {
		return
	}
	c.cmd.Process.Kill()
	<-c.done
	c.cmd = nil
}

// stop ends the server kindly.
func (c *child) stop() {
	c.t.Helper()
	c.cmd.Process.Signal(os.Interrupt)
	select {
	case <-c.done:
	case <-time.After(30 * time.Second):
		c.t.Fatalf("the server does not stop:\n%s", c.log)
	}
	c.cmd = nil
}

// use shows a key at the gate and returns the status.
func (c *child) use(ctx context.Context, key string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.gate+"/in", nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("X-Api-Key", key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	io.Copy(io.Discard, res.Body)
	return res.StatusCode, nil
}

// lines keeps the last lines of a log.
type lines struct {
	mu   sync.Mutex
	last []string
}

func (l *lines) add(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.last) >= 40 {
		l.last = l.last[1:]
	}
	l.last = append(l.last, s)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b bytes.Buffer
	for _, s := range l.last {
		fmt.Fprintln(&b, s)
	}
	return b.String()
}
