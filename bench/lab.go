package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// lab has what all rows share: folders, binaries, running programs.
type lab struct {
	options options
	out     io.Writer
	dir     string
	self    string // this program, for the bare servers
	machine string

	cleanups []func() // of the row at work
	profile  func(path string, d time.Duration)
	gate     *gatehouse // shared by the rows that need one, started at first need
}

func newLab(ctx context.Context, o options, out io.Writer) (*lab, error) {
	l := &lab{options: o, out: out}
	var err error
	if l.self, err = os.Executable(); err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	if l.dir, err = os.MkdirTemp("", "gatehouse-bench-"); err != nil {
		return nil, err
	}
	l.machine = describeMachine(ctx)
	return l, nil
}

func (l *lab) close() {
	l.cleanRow()
	if l.gate != nil {
		l.gate.stop()
	}
	os.RemoveAll(l.dir)
}

// later runs f when the row is done.
func (l *lab) later(f func()) { l.cleanups = append(l.cleanups, f) }

func (l *lab) cleanRow() {
	for i := len(l.cleanups) - 1; i >= 0; i-- {
		l.cleanups[i]()
	}
	l.cleanups, l.profile = nil, nil
}

// startProfile profiles Gatehouse during its turn, when asked to.
func (l *lab) startProfile(row string, d time.Duration) {
	if l.profile != nil && l.options.profile != "" {
		go l.profile(filepath.Join(l.options.profile, row+".pprof"), d)
	}
}

// process is a program that the kit has started.
type process struct {
	cmd  *exec.Cmd
	log  *tail
	done chan struct{}
}

// start runs a program until the row is done.
func (l *lab) start(name string, args ...string) (*process, error) {
	p, err := startProcess(name, args...)
	if err != nil {
		return nil, err
	}
	l.later(p.stop)
	return p, nil
}

func startProcess(name string, args ...string) (*process, error) {
	return startProcessEnv(nil, name, args...)
}

func startProcessEnv(env []string, name string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(name, args...), log: &tail{}, done: make(chan struct{})}
	p.cmd.Env = env // nil: our own
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	// Should the kit be killed, its programs go with it.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the death signal follows the thread that forked
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.cmd.Wait()
		}
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

// cpu is the processor time that the program has had, in seconds.
func (p *process) cpu() float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0 // not on this system
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the name before may hold anything
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(f[11], 64)
	system, _ := strconv.ParseFloat(f[12], 64)
	return (user + system) / 100 // ticks, of which Linux tells programs there are 100 a second
}

// settle waits until the program has nothing to do by itself: Gatehouse makes RSA
// keys ahead of their time, which takes seconds, once.
func (p *process) settle(ctx context.Context) error {
	const look, idle = 500 * time.Millisecond, 0.02
	for deadline := time.Now().Add(2 * time.Minute); ; {
		before := p.cpu()
		select {
		case <-time.After(look):
		case <-ctx.Done():
			return ctx.Err()
		}
		if p.cpu()-before <= idle*look.Seconds() {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s does not come to rest", p.cmd.Path)
		}
	}
}

func (p *process) stop() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		p.cmd.Process.Kill()
		<-p.done
	}
}

// answers waits until url is answered with that status, and returns when the
// first such answer came.
func (p *process) answers(ctx context.Context, url string, status int) (time.Time, error) {
	return p.answersTo(ctx, url, nil, status)
}

// answersTo is answers with headers.
func (p *process) answersTo(ctx context.Context, url string, h http.Header, status int) (time.Time, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: anyServer}, Timeout: time.Second}
	deadline := time.Now().Add(20 * time.Second)
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return time.Time{}, err
		}
		req.Header = h
		resp, err := client.Do(req)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == status {
				return time.Now(), nil
			}
			err = fmt.Errorf("answered with %s", resp.Status)
		}
		select {
		case <-p.done:
			return time.Time{}, fmt.Errorf("%s ended early:\n%s", p.cmd.Path, p.log)
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		case <-time.After(500 * time.Microsecond):
		}
		if time.Now().After(deadline) {
			return time.Time{}, fmt.Errorf("%s does not serve %s: %w\n%s", p.cmd.Path, url, err, p.log)
		}
	}
}

// memory is what the program has of the machine's, in bytes.
func (p *process) memory() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("read memory: %w", err)
	}
	f := strings.Fields(string(text))
	if len(f) < 2 {
		return 0, fmt.Errorf("read memory: %q", text)
	}
	pages, err := strconv.ParseFloat(f[1], 64)
	return pages * float64(os.Getpagesize()), err
}

// tail keeps the last of what a program wrote, for error messages.
type tail struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.b.Len() > 64<<10 {
		t.b.Reset()
	}
	return t.b.Write(p)
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// freeAddr is an address that nobody listens on, for programs that cannot say
// which one they chose.
func freeAddr() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

// build builds a package of this module into the lab's folder.
func (l *lab) build(ctx context.Context, pkg string) (string, error) {
	path := filepath.Join(l.dir, filepath.Base(pkg))
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", path, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return path, nil
}

// describeMachine is one line under the table.
func describeMachine(ctx context.Context) string {
	parts := []string{fmt.Sprintf("%d × %s", runtime.NumCPU(), processor()), runtime.GOOS + "/" + runtime.GOARCH, runtime.Version()}
	nginx, err := findNginx()
	if err != nil {
		nginx = "nginx"
	}
	for _, tool := range []string{"wrk", nginx} {
		out, err := exec.CommandContext(ctx, tool, "-v").CombinedOutput()
		if errors.Is(err, exec.ErrNotFound) {
			parts = append(parts, "no "+tool)
			continue
		}
		first, _, _ := strings.Cut(string(out), "\n")
		first, _, _ = strings.Cut(strings.TrimPrefix(first, "nginx version: "), " [")
		parts = append(parts, strings.TrimSpace(first))
	}
	return "Measured on " + strings.Join(parts, ", ") + "."
}

func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "processor"
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if name, ok := strings.CutPrefix(s.Text(), "model name"); ok {
			return strings.TrimSpace(strings.TrimLeft(name, " \t:"))
		}
	}
	return "processor"
}

func makeFolder(file string) error { return os.MkdirAll(filepath.Dir(file), 0o700) }
