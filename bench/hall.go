package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// anyServer is for the kit's own certificate.
var anyServer = &tls.Config{InsecureSkipVerify: true}

// hall is a Gatehouse for crowds: both dialects that hold sockets, a feed, and a
// route to the sockets of a backend. Rows start it anew for each turn, because
// what a turn has left in memory would be counted in the next.
type hall struct {
	*gatehouse
	key  string // may all that a crowd does
	cert string // file, empty: plain
	pem  string // file of the key
}

const hallSettings = `
upstreams:
  back: {urls: ["http://%s"]}
tenants:
  default:
    dialects:
      acqueon: {plain_text: true}
      fieldpine: {plain_text: true, endpoints: [{action: "fd1.products.*", upstream: back}]}
routes:
  - {name: files, path: /files/, credentials: [key], roles: [acqueon/viewer], upstream: back}
  - {name: sockets, path: /sockets/, credentials: [key], roles: [acqueon/viewer], upstream: back, websocket: true}
limits: {connections: 25000}
`

// hall makes the one of that name; nothing runs yet but its backend.
func (l *lab) hall(ctx context.Context, name string, secure bool) (_ *hall, err error) {
	h := &hall{gatehouse: newGatehouse(l, name)}
	h.extra = []string{"GATEHOUSE_LOG_LEVEL=warn"} // what it is compared with logs nothing
	h.say, h.backendArgs = hallSettings, []string{"sockets", "-hello", hello}
	defer func() {
		if err == nil {
			l.later(func() { os.RemoveAll(h.dir) }) // the next row may want the name
		}
	}()
	if err := h.install(ctx, l); err != nil {
		return nil, err
	}
	l.later(h.stopBackend)
	if secure {
		if err := h.certify(); err != nil {
			return nil, err
		}
	}
	if err := h.open(ctx, l); err != nil {
		return nil, err
	}
	defer h.process.stop()
	if _, err := h.run(ctx, "client", "create", "crowd", "--role", "acqueon/viewer", "--role", "fieldpine/staff", "--role", "feed/publisher"); err != nil {
		return nil, err
	}
	m, err := h.newKey(ctx)
	if err != nil {
		return nil, err
	}
	h.key = m.Secret
	return h, h.settle(ctx)
}

// open starts the program.
func (h *hall) open(ctx context.Context, l *lab) error {
	if err := h.start(ctx, l); err != nil {
		return err
	}
	l.profile = h.profile
	return nil
}

// made is what the command line says of a new key.
type made struct {
	Secret     string
	Credential struct{ ID, Key string }
}

func (h *hall) newKey(ctx context.Context, how ...string) (m made, err error) {
	out, err := h.run(ctx, append([]string{"key", "create", "crowd", "--json"}, how...)...)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(out, &m); err != nil || m.Secret == "" {
		return m, fmt.Errorf("make a key: %w in %d bytes", err, len(out))
	}
	return m, nil
}

// newPair makes a public key and its secret.
func (h *hall) newPair(ctx context.Context) (made, error) {
	return h.newKey(ctx, "--pair", "gatehouse")
}

// revoke takes a credential away and returns how many sockets the receipt says
// that ended.
func (h *hall) revoke(ctx context.Context, id string) (closed int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://admin/api/v1/credentials/"+id+"/revoke", strings.NewReader("{}"))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := unixClient(filepath.Join(h.dir, "data", "admin.sock")).Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	var receipt struct {
		Nodes []struct {
			Closed int `json:"sockets_closed"`
		}
		Unreached []string
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return 0, err
	}
	if err := json.Unmarshal(text, &receipt); err != nil || res.StatusCode != http.StatusOK || len(receipt.Unreached) > 0 {
		return 0, fmt.Errorf("revoke: %s %s", res.Status, text)
	}
	for _, n := range receipt.Nodes {
		closed += n.Closed
	}
	return closed, nil
}

// certify has the gate speak TLS from now on.
func (h *hall) certify() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	h.tls, h.cert, h.pem = true, filepath.Join(h.dir, "cert.pem"), filepath.Join(h.dir, "cert.key")
	h.env = append(h.env, "GATEHOUSE_GATE_TLS_CERT="+h.cert, "GATEHOUSE_GATE_TLS_KEY="+h.pem)
	return errors.Join(
		os.WriteFile(h.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600),
		os.WriteFile(h.pem, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
}

// fd1 is a till that logs in with an API key.
func (h *hall) fd1(key string) visit {
	v := h.visit("/fd1/open_websocket")
	v.login, v.frames = fmt.Sprintf(`{"a":"fd1.session.login","rq":"1","v":{"apikey":%q}}`, key), 1
	return v
}

// proxied is a client of the backend's sockets.
func (h *hall) proxied(key string) visit {
	v := h.visit("/sockets/all")
	v.header = func(int) string { return "X-API-Key: " + key + "\r\n" }
	v.frames = 1
	return v
}

func (h *hall) visit(path string) visit {
	v := visit{addr: h.gate, path: func(int) string { return path }, header: func(int) string { return "" }}
	if h.tls {
		v.tls = anyServer
	}
	return v
}

// reports are the frames of a wall board that has initialised: who it is, the
// list of reports, and the five reports.
const reports = 7

// board is a wall board that logs in with a key pair; to the end, or only until
// it is told who it is. Each generation has names of its own.
func (h *hall) board(pair made, initialise bool, generation int) visit {
	v := h.visit("")
	name := func(i int) string { return fmt.Sprintf("PerformanceMetrics_board%d_%d", i, 1767225600+generation) }
	v.path = func(i int) string { return "/AEDataTransmitter?name=" + name(i) }
	inner := base64.StdEncoding.EncodeToString([]byte(pair.Credential.Key + ":" + pair.Secret))
	v.header = func(i int) string {
		return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(name(i)+":"+inner)) + "\r\n"
	}
	v.frames = 1
	if initialise {
		v.frames = reports
		v.after = func(i int) string {
			return fmt.Sprintf(`{"Sender":%q,"Receiver":"ATIRealTimeService","MessageType":"AEPerformanceMetricInitialization",`+
				`"Data":"{\"TimeZoneOffset\":-330,\"Sender\":\"%s\"}"}`, name(i), name(i))
		}
	}
	return v
}
