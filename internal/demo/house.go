package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"gatehouse.dev/gateidentity"
	"gatehouse.dev/internal/app"
	"gatehouse.dev/internal/config"
	"gatehouse.dev/internal/sample"
	"gatehouse.dev/internal/seal"
)

// house is the server and the backend behind it.
type house struct {
	server        *app.Server
	backend       *http.Server
	backendAt     net.Listener
	backendURL    string
	administrator app.Administrator
	logger        *slog.Logger
}

// configText is the configuration of the demonstration, as an operator would
// write it.
const configText = `# Written by gatehouse demo at each start. With the demonstration stopped, and its
# backend elsewhere, this works as well: gatehouse serve --config gatehouse.yaml
data_dir: state
master_key_file: master.key
node: demo

gate: {listen: %q}
desk: {listen: %q}
ops: {listen: "off"}

upstreams:
  sample:
    urls: [%q]
    health_path: /v2.0/health
    health_interval: 1s

tenants:
  default:
    dialects:
      ayyeka: {upstream: sample}
      acqueon: {plain_text: true}
      fieldpine:
        plain_text: true
        link: https://shop.example/r/{token}
        endpoints:
          - {action: fd1.products.get_products, upstream: sample}
          - {action: fd1.sales.get_sale, upstream: sample, entity: Sale}

routes:
  - name: files
    path: /files/
    methods: [GET]
    credentials: [bearer, key, basic]
    roles: [ayyeka/operator]
    upstream: sample
  - name: echo
    path: /echo
    websocket: true
    credentials: [bearer, key, basic]
    roles: [ayyeka/operator]
    upstream: sample

forward_auth: {proxies: [127.0.0.1, "::1"]}
`

// openHouse makes or reopens the installation in dir and binds everything.
func openHouse(ctx context.Context, o Options, dir string, logger *slog.Logger) (_ *house, err error) {
	desk, err := deskAddress(o.Listen)
	if err != nil {
		return nil, err
	}
	backendAt, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the sample backend: %w", err)
	}
	h := &house{backendAt: backendAt, backendURL: "http://" + backendAt.Addr().String(), logger: logger}
	defer func() {
		if err != nil {
			err = errors.Join(err, backendAt.Close())
		}
	}()

	text := fmt.Appendf(nil, configText, o.Listen, desk, h.backendURL)
	file := filepath.Join(dir, "gatehouse.yaml")
	conf, err := config.Parse(file, text, func(string) string { return "" })
	if err != nil {
		return nil, fmt.Errorf("the configuration of the demonstration: %w", err)
	}
	if _, err := os.Stat(string(conf.MasterKeyFile)); errors.Is(err, fs.ErrNotExist) {
		if _, err := seal.CreateMasters(string(conf.MasterKeyFile)); err != nil {
			return nil, err
		}
	}

	state, err := app.OpenState(ctx, conf, logger)
	if err != nil {
		return nil, err
	}
	if h.administrator, err = app.LetIn(ctx, state, "admin", "made by gatehouse demo"); err != nil {
		return nil, errors.Join(err, state.Close())
	}
	h.server, err = app.New(ctx, app.Options{Config: conf, State: state, Logger: logger, Version: o.Version})
	if err != nil {
		return nil, err
	}
	text = fmt.Appendf(nil, configText, h.server.GateAddress(), h.server.DeskAddress(), h.backendURL)
	if err := os.WriteFile(file, bytes.TrimSpace(text), 0o600); err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	return h, h.prepareBackend()
}

// prepareBackend makes the backend, which trusts the keys that the gate shows.
func (h *house) prepareBackend() error {
	verifier, err := gateidentity.New(gateidentity.Config{
		JWKSURL:  h.server.GateURL() + "/.well-known/gatehouse-identity.json",
		Issuer:   h.server.IdentityIssuer(),
		Audience: "sample",
	})
	if err != nil {
		return fmt.Errorf("make the sample backend: %w", err)
	}
	h.backend = &http.Server{Handler: sample.Handler(verifier), ReadHeaderTimeout: 10 * time.Second}
	return nil
}

// run serves until ctx ends.
func (h *house) run(ctx context.Context) error {
	go h.backend.Serve(h.backendAt)
	err := h.server.Run(ctx)
	return errors.Join(err, h.backend.Close())
}

// deskAddress is one port above the gate's; port 0 stays 0.
func deskAddress(gate string) (string, error) {
	host, port, err := net.SplitHostPort(gate)
	n, errPort := strconv.ParseUint(port, 10, 16)
	if err := errors.Join(err, errPort); err != nil || n == 65535 {
		return "", fmt.Errorf("--listen %s: write host:port, like 127.0.0.1:8080, or port 0 for free ports", gate)
	}
	if addr, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !addr.IsLoopback()) {
		return "", fmt.Errorf("--listen %s: the demonstration is for this machine alone, because its keys stand on the screen; write 127.0.0.1:%s", gate, port)
	}
	if n > 0 {
		n++
	}
	return net.JoinHostPort(host, strconv.FormatUint(n, 10)), nil
}

// webSocket is a URL of the gate with the scheme of sockets.
func webSocket(url string) string { return "ws" + strings.TrimPrefix(url, "http") }
