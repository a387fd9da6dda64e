package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gatehouse.dev/internal/logging"
)

// ErrFailed says that a step of the self-check failed; it has been shown.
var ErrFailed = errors.New("the demonstration failed")

// Options are the flags of `gatehouse demo`.
type Options struct {
	Listen  string // address of the gate; the desk gets the next port; port 0: free ones
	Data    string // folder; empty: a temporary one, removed at the end
	Once    bool   // end after the self-check
	Version string
	Stdout  io.Writer
}

// demo is a demonstration under way.
type demo struct {
	*caller
	screen *screen
	life   context.Context // ends when the demonstration does

	gate            string // URL
	admin           *admin
	adminCredential string
}

// Run sets everything up, proves it, and stays up until ctx ends.
func Run(ctx context.Context, o Options) (err error) {
	began := time.Now()
	dir, remove, err := folder(o.Data)
	if err != nil {
		return err
	}
	defer func() {
		if errors.Is(err, ErrFailed) {
			return // what is left of it tells why
		}
		err = errors.Join(err, remove())
	}()

	logFile, err := os.OpenFile(filepath.Join(dir, "server.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	defer logFile.Close()
	logger := logging.New(logFile, logging.Text, "info")

	h, err := openHouse(ctx, o, dir, logger)
	if err != nil {
		return err
	}
	up, stop := context.WithCancel(ctx)
	defer stop()
	stopped := make(chan error, 1)
	go func() { stopped <- h.run(up) }()

	d := &demo{
		caller: newCaller(), screen: newScreen(o.Stdout), life: up,
		gate: h.server.GateURL(), adminCredential: h.administrator.Credential.ID,
	}
	d.admin = &admin{caller: d.caller, url: h.server.AdminURL(), token: h.administrator.Token.Reveal()}
	shown := d.show(ctx, h, dir, o, began)
	if shown != nil || o.Once {
		stop()
	}
	err = errors.Join(shown, <-stopped)
	if err == nil && !o.Once {
		d.screen.printf("\n  Stopped.\n")
	}
	return err
}

// show is what the user sees: where things are, the proof, and what to try.
func (d *demo) show(ctx context.Context, h *house, dir string, o Options, began time.Time) error {
	note := "kept"
	if o.Data == "" {
		note = "removed at the end"
	}
	d.screen.title("Gatehouse", "a demonstration of "+o.Version)
	d.screen.row("gate", local(d.gate), "for callers")
	d.screen.row("desk", local(h.server.DeskURL()), "for people: the admin API")
	d.screen.row("backend", h.backendURL, "a sample, reached over HTTP like any other")
	d.screen.row("data", dir, note)
	d.screen.row("log", filepath.Join(dir, "server.log"), "")

	earlier, err := readFile(dir)
	if err != nil {
		return err
	}
	file, err := d.seed(ctx, earlier)
	if err != nil {
		return fmt.Errorf("seed the demonstration: %w", err)
	}

	if file.Fieldpine, err = d.seedFieldpine(ctx, earlier.Fieldpine); err != nil {
		return fmt.Errorf("seed the demonstration: %w", err)
	}
	if file.Acqueon, err = d.seedAcqueon(ctx, earlier.Acqueon); err != nil {
		return fmt.Errorf("seed the demonstration: %w", err)
	}
	if err := d.simulate(ctx, h.logger); err != nil {
		return fmt.Errorf("begin the simulation: %w", err)
	}
	taking, receipt := d.taking()
	passed, failed := d.screen.prove(ctx, []chapter{d.ayyeka(file.Ayyeka), d.routes(file.Gateway), d.acqueon(file.Acqueon), d.fieldpine(file.Fieldpine), taking})
	if err := ctx.Err(); err != nil {
		return nil // interrupted: not a failure
	}
	if failed > 0 {
		d.screen.printf("\n  %s\n", d.screen.in(red, fmt.Sprintf("%d of %d steps failed; %s says more.", failed, passed+failed, filepath.Join(dir, "server.log"))))
		return ErrFailed
	}
	d.screen.receipt(receipt)
	d.screen.printf("\n  %s in %s.\n", d.screen.in(green, fmt.Sprintf("All %d steps passed", passed)), pretty(time.Since(began)))
	if err := file.write(dir); err != nil {
		return err
	}
	if !o.Once {
		d.tryIt(file, dir)
	}
	return d.screen.err
}

// folder returns the data folder, and what to do with it at the end.
func folder(given string) (dir string, remove func() error, err error) {
	if given == "" {
		dir, err := os.MkdirTemp("", "gatehouse-demo-")
		if err != nil {
			return "", nil, fmt.Errorf("make a folder: %w", err)
		}
		return dir, func() error { return os.RemoveAll(dir) }, nil
	}
	if err := os.MkdirAll(given, 0o700); err != nil {
		return "", nil, fmt.Errorf("make the data folder: %w", err)
	}
	dir, err = filepath.Abs(given)
	return dir, func() error { return nil }, err
}

// local writes a loopback address by its name, which is what people should type:
// browsers give localhost rights that they give no number.
func local(url string) string {
	scheme, rest, _ := strings.Cut(url, "://")
	host, port, err := net.SplitHostPort(rest)
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsLoopback() {
		return scheme + "://" + net.JoinHostPort("localhost", port)
	}
	return url
}
