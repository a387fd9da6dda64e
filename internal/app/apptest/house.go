package apptest

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse.dev/gateidentity"
	"gatehouse.dev/internal/app"
	"gatehouse.dev/internal/config"
	"gatehouse.dev/internal/logging"
	"gatehouse.dev/internal/sample"
	"gatehouse.dev/internal/seal"
)

// Options shape a house. The zero value is one node on SQLite with the routes of
// the demonstration.
type Options struct {
	Database string // "sqlite" or a PostgreSQL URL; empty: sqlite
	Dir      string // empty: a folder that ends with the test
	Extra    string // more configuration, as YAML at the top level
	Routes   string // more routes, as items of the list
	// Upstreams and Dialects are more of them, as YAML below the section: backends,
	// and what the default tenant speaks.
	Upstreams, Dialects string
	Tenant              string // more settings of the default tenant, as YAML
	Drain               time.Duration
	Leeway              time.Duration // of expiries; 0: the program's own
	Grace, Spread       time.Duration // of sockets on a node that is not fresh; 0: the program's own
	Node                string        // its name; empty: the test's
	// Cert and Key, where set, make the gate speak TLS.
	Cert, Key string
	// Proxies says that this machine is a trusted proxy of the gate.
	Proxies bool
	// DeskHosts are the names the desk answers to; none: any.
	DeskHosts []string
}

// House is a running server and what a test needs of it.
type House struct {
	Server  *app.Server
	Gate    string // URL
	Desk    string // URL
	Admin   Admin
	Dir     string
	Backend string // URL
	Log     *Log

	stop    context.CancelFunc
	stopped chan error
}

const base = `
data_dir: state
master_key_file: master.key
database: %q
node: %s
gate: {listen: "127.0.0.1:0"%s}
desk: {listen: "127.0.0.1:0", hosts: [%s]}
ops: {listen: "unix:%s/ops.sock"}
log: {level: debug}
shutdown: {drain: %s}
upstreams:
  sample: {urls: [%q], health_path: /v2.0/health}
%s
tenants:
  default:
%s
    dialects:
      ayyeka: {upstream: sample}
%s
routes:
  - {name: files, path: /files/, credentials: [bearer, key, basic], roles: [ayyeka/operator], upstream: sample}
  - {name: echo, path: /echo, websocket: true, credentials: [bearer, key, basic], roles: [ayyeka/operator], upstream: sample}
%s
%s
`

// Start starts a house that ends with the test.
func Start(t testing.TB, o Options) *House {
	t.Helper()
	h := &House{Dir: o.Dir, Log: new(Log), stopped: make(chan error, 1)}
	if h.Dir == "" {
		h.Dir = t.TempDir()
	}
	if o.Database == "" {
		o.Database = "sqlite"
	}
	if o.Drain == 0 {
		o.Drain = time.Second
	}
	backend, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	h.Backend = "http://" + backend.Addr().String()

	if o.Node == "" {
		o.Node = nodeName(t)
	}
	files := ""
	if o.Cert != "" {
		files = fmt.Sprintf(", tls: {cert: %q, key: %q}", o.Cert, o.Key)
	}
	if o.Proxies {
		files += ", trusted_proxies: [127.0.0.1]"
	}
	text := fmt.Sprintf(base, o.Database, o.Node, files, strings.Join(o.DeskHosts, ", "), h.Dir, o.Drain, h.Backend,
		indent(2, o.Upstreams), indent(4, o.Tenant), indent(6, o.Dialects), o.Routes, o.Extra)
	conf, err := config.Parse(filepath.Join(h.Dir, "gatehouse.yaml"), []byte(text), func(string) string { return "" })
	must(t, err)
	if _, err := os.Stat(string(conf.MasterKeyFile)); err != nil {
		_, err := seal.CreateMasters(string(conf.MasterKeyFile))
		must(t, err)
	}
	logger := logging.New(h.Log, logging.JSON, "debug")
	state, err := app.OpenState(t.Context(), conf, logger)
	must(t, err)
	owner, err := app.LetIn(t.Context(), state, "root", "made by a test")
	must(t, err)
	h.Server, err = app.New(t.Context(), app.Options{Config: conf, State: state, Logger: logger, Version: "test", Leeway: o.Leeway, Grace: o.Grace, Spread: o.Spread})
	must(t, err)
	h.Gate, h.Desk = h.Server.GateURL(), h.Server.DeskURL()
	h.Admin = Admin{URL: h.Server.AdminURL(), Token: owner.Token, Principal: owner.Principal.ID}

	h.serve(t, backend)
	// The listeners are bound already; they answer once the server serves.
	res, err := h.OpsClient().Get("http://ops/livez")
	must(t, err)
	res.Body.Close()
	return h
}

func (h *House) serve(t testing.TB, backend net.Listener) {
	verifier, err := gateidentity.New(gateidentity.Config{
		JWKSURL:  h.Gate + "/.well-known/gatehouse-identity.json",
		Issuer:   h.Server.IdentityIssuer(),
		Audience: "sample",
		Client:   Trusting,
	})
	must(t, err)
	srv := &http.Server{Handler: sample.Handler(verifier), ReadHeaderTimeout: 10 * time.Second}
	go srv.Serve(backend)
	t.Cleanup(func() { srv.Close() })

	ctx, stop := context.WithCancel(context.Background())
	h.stop = stop
	go func() { h.stopped <- h.Server.Run(ctx) }()
	t.Cleanup(func() {
		if err := h.Stop(); err != nil {
			t.Errorf("stop the server: %v", err)
		}
		if t.Failed() {
			for line := range strings.Lines(h.Log.String()) {
				if !strings.Contains(line, `"level":"INFO"`) {
					t.Logf("the server said: %s", line)
				}
			}
		}
	})
}

// Stop stops the server and returns what its Run returned. Calling it again
// returns nil.
func (h *House) Stop() error {
	h.stop()
	err, open := <-h.stopped
	if open {
		close(h.stopped)
	}
	return err
}

// Trusting is a client that does not ask whose certificate it is.
var Trusting = &http.Client{Transport: &http.Transport{
	TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
	ForceAttemptHTTP2: true,
}}

// OpsClient talks to the ops listener: http://ops/readyz.
func (h *House) OpsClient() *http.Client { return socketClient(filepath.Join(h.Dir, "ops.sock")) }

// LocalClient talks to the admin API without a key: http://local/api/….
func (h *House) LocalClient() *http.Client {
	return socketClient(filepath.Join(h.Dir, "state", "admin.sock"))
}

func socketClient(path string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}
}

// indent moves YAML to the right, to where it belongs.
func indent(n int, text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.Repeat(" ", n) + line)
	}
	return b.String()
}

func nodeName(t testing.TB) string {
	return strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Log keeps everything the server said, for looking for what should not be there.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
