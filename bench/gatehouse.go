package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// gatehouse is a running server, with what rows need to know about it.
type gatehouse struct {
	*process
	binary      string
	dir         string
	env         []string
	extra       []string // of the environment
	gate        string   // address
	tls         bool
	backend     string   // address
	say         string   // settings to follow those of init; %s is the backend's address
	backendArgs []string // of the bare server that is the backend
	apiKey      string
	pairs       []string // values of Authorization: Basic
	tokens      []string // values of Authorization: Bearer, one per pair as far as asked for

	stopBackend func()
}

// settings follow what init writes. Requests are not logged one by one, because
// what it is compared with logs nothing either.
const settings = `
forward_auth: {proxies: [127.0.0.1]}
upstreams:
  back: {urls: ["http://%s"]}
tenants:
  default:
    dialects:
      ayyeka: {upstream: back}
routes:
  - {name: files, path: /files/, credentials: [bearer, key, basic], roles: [ayyeka/operator], upstream: back}
`

// path is what rows ask for, directly and through proxies.
const path = "/files/report"

// gatehouse starts the server when a row first needs it.
func (l *lab) gatehouse(ctx context.Context) (*gatehouse, error) {
	if l.gate != nil {
		l.profile = l.gate.profile
		return l.gate, nil
	}
	g := newGatehouse(l, "house")
	if err := g.install(ctx, l); err != nil {
		return nil, err
	}
	if err := g.start(ctx, l); err != nil {
		return nil, err
	}
	l.gate, l.profile = g, g.profile
	return g, g.populate(ctx, l.options.tokens)
}

func newGatehouse(l *lab, name string) *gatehouse {
	return &gatehouse{dir: filepath.Join(l.dir, name), say: settings, backendArgs: []string{"backend"}}
}

// install makes an installation with a backend of its own.
func (g *gatehouse) install(ctx context.Context, l *lab) (err error) {
	if g.binary, err = l.build(ctx, "gatehouse.dev/cmd/gatehouse"); err != nil {
		return err
	}
	if err := os.MkdirAll(g.dir, 0o700); err != nil {
		return err
	}
	if g.backend, err = freeAddr(); err != nil {
		return err
	}
	back, err := startProcess(l.self, slices.Concat([]string{"bare"}, g.backendArgs, []string{"-listen", g.backend})...)
	if err != nil {
		return err
	}
	g.stopBackend = back.stop
	if _, err := back.answers(ctx, "http://"+g.backend+"/", http.StatusOK); err != nil {
		return err
	}
	if g.gate, err = freeAddr(); err != nil {
		return err
	}
	desk, err := freeAddr()
	if err != nil {
		return err
	}
	g.env = append(os.Environ(), "GATEHOUSE_GATE_LISTEN="+g.gate, "GATEHOUSE_DESK_LISTEN="+desk, "GATEHOUSE_OPS_LISTEN=off",
		"GATEHOUSE_LOG_REQUESTS=false", "GATEHOUSE_CONFIG="+g.config())
	g.env = append(g.env, g.extra...)
	if _, err := g.run(ctx, "init", "--data", filepath.Join(g.dir, "data"), "--master-key", filepath.Join(g.dir, "master.key")); err != nil {
		return err
	}
	f, err := os.OpenFile(g.config(), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, g.say, g.backend)
	return errors.Join(err, f.Close())
}

// url is the gate's, as its certificate has it.
func (g *gatehouse) url() string {
	if g.tls {
		return "https://" + g.gate
	}
	return "http://" + g.gate
}

func (g *gatehouse) config() string { return filepath.Join(g.dir, "gatehouse.yaml") }

// run runs another command of the program.
func (g *gatehouse) run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, g.binary, args...)
	cmd.Env, cmd.Dir = g.env, g.dir
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		return nil, fmt.Errorf("gatehouse %s: %w", args[0], err)
	}
	return out, nil
}

// start starts the program itself, or for profiles the same server within this
// one.
func (g *gatehouse) start(ctx context.Context, l *lab) (err error) {
	name, args := g.binary, []string{"serve"}
	if l.options.profile != "" {
		if err := os.MkdirAll(l.options.profile, 0o755); err != nil {
			return err
		}
		name, args = l.self, []string{"serve", g.config(), g.profileSocket()}
	}
	if g.process, err = startProcessEnv(g.env, name, args...); err != nil {
		return err
	}
	_, err = g.answers(ctx, g.url()+path, http.StatusUnauthorized)
	return err
}

func (g *gatehouse) profileSocket() string { return filepath.Join(g.dir, "pprof.sock") }

// profile writes a CPU profile of the next moments.
func (g *gatehouse) profile(file string, d time.Duration) {
	g.keep(file, fmt.Sprintf("profile?seconds=%.0f", max(1, d.Seconds())))
}

// keep writes one of the profiles of net/http/pprof to a file.
func (g *gatehouse) keep(file, what string) {
	res, err := unixClient(g.profileSocket()).Get("http://pprof/debug/pprof/" + what)
	if err != nil {
		return
	}
	defer res.Body.Close()
	f, err := os.Create(file)
	if err != nil {
		return
	}
	defer f.Close()
	io.Copy(f, res.Body)
}

func (g *gatehouse) stop() {
	if g.process != nil {
		g.process.stop()
	}
	g.stopBackend()
}

// populate takes over as many key pairs as there are to be different tokens,
// and makes one API key.
func (g *gatehouse) populate(ctx context.Context, n int) error {
	file := filepath.Join(g.dir, "clients.jsonl")
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	for i := range n {
		key, secret := fmt.Sprintf("%032X", i+1), fmt.Sprintf("secret+number/%d+of+the+kit", i)
		fmt.Fprintf(w, `{"kind":"key_pair","dialect":"ayyeka","name":"client %d","roles":["ayyeka/operator"],"key":%q,"secret":%q}`+"\n", i, key, secret)
		g.pairs = append(g.pairs, "Basic "+base64.StdEncoding.EncodeToString([]byte(key+":"+secret)))
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		return err
	}
	if _, err := g.run(ctx, "import", file); err != nil {
		return err
	}
	out, err := g.run(ctx, "key", "create", "client 0", "--json")
	if err != nil {
		return err
	}
	var made struct{ Secret string }
	if err := json.Unmarshal(out, &made); err != nil {
		return fmt.Errorf("make API key: %w", err)
	}
	g.apiKey = made.Secret
	return nil
}

// getTokens gets n tokens, each of another client.
func (g *gatehouse) getTokens(ctx context.Context, n int) ([]string, error) {
	if len(g.tokens) >= n {
		return g.tokens[:n], nil
	}
	g.tokens = make([]string, n)
	err := each(n, func(i int) (err error) {
		g.tokens[i], err = g.getToken(ctx, g.pairs[i])
		return err
	})
	if err != nil {
		g.tokens = nil
		return nil, fmt.Errorf("get token: %w", err)
	}
	return g.tokens, nil
}

// each calls f for the numbers below n, eight at a time.
func each(n int, f func(i int) error) error {
	var group errgroup.Group
	group.SetLimit(8)
	for i := range n {
		group.Go(func() error { return f(i) })
	}
	return group.Wait()
}

const tokenRequest = "grant_type=client_credentials"

func (g *gatehouse) getToken(ctx context.Context, basic string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+g.gate+"/auth/token", strings.NewReader(tokenRequest))
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", basic)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || answer.Token == "" {
		return "", fmt.Errorf("the token service answered %s: %w", res.Status, err)
	}
	return "Bearer " + answer.Token, nil
}
