package nats

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"gatehouse.dev/internal/secret"
)

// Options say how to reach NATS. URLs is needed.
type Options struct {
	URLs []string // nats:// or tls://
	// Prefix stands before every subject, so that several installations can share
	// one NATS; "gatehouse".
	Prefix string
	// Name is what NATS calls this connection in its own lists.
	Name string

	// How to log in, at most one of three. Files are read each time a connection
	// is made, so what is in them can be renewed.
	CredentialsFile    string // of nsc: a user's JWT and its key
	User, PasswordFile string
	TokenFile          string

	// TLS is demanded when a URL says so, and when any of these is set.
	CAFile            string // in place of the system's authorities
	CertFile, KeyFile string // of this client

	Queue    int           // messages a subscriber may be behind; 256
	Patience time.Duration // longest wait of a publisher, and for a write; 1 s
	Log      *slog.Logger  // discards
	Now      func() time.Time
}

func (o Options) withDefaults() Options {
	if o.Prefix == "" {
		o.Prefix = "gatehouse"
	}
	if o.Queue <= 0 {
		o.Queue = 256
	}
	if o.Patience <= 0 {
		o.Patience = time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Times of a connection.
const (
	connectTime = 2 * time.Second
	// Two pings without an answer are a lost connection.
	pingInterval = 2 * time.Second
	shortPause   = 50 * time.Millisecond
	longPause    = 5 * time.Second
)

// connection turns o into the options of the client library.
func (o Options) connection() ([]natsgo.Option, error) {
	if len(o.URLs) == 0 {
		return nil, errors.New("no NATS server is named")
	}
	all := []natsgo.Option{
		natsgo.Name(o.Name),
		natsgo.Timeout(connectTime),
		natsgo.RetryOnFailedConnect(true),
		natsgo.MaxReconnects(-1),
		natsgo.CustomReconnectDelay(pause),
		natsgo.IgnoreAuthErrorAbort(), // whoever is refused now may be let in later
		// Nothing is kept for later: an old message must not come after a new one.
		natsgo.ReconnectBufSize(-1),
		natsgo.PingInterval(pingInterval),
		natsgo.MaxPingsOutstanding(2),
		natsgo.FlusherTimeout(o.Patience),
		natsgo.ReconnectOnFlusherError(),
		natsgo.NoCallbacksAfterClientClose(),
	}
	login, err := o.login()
	if err != nil {
		return nil, err
	}
	return append(all, append(login, o.tls()...)...), nil
}

// login reads the file once, so that a mistake shows at the start.
func (o Options) login() ([]natsgo.Option, error) {
	switch {
	case o.CredentialsFile != "":
		_, err := readSecret(o.CredentialsFile)
		return []natsgo.Option{natsgo.UserCredentials(o.CredentialsFile)}, err
	case o.TokenFile != "":
		_, err := readSecret(o.TokenFile)
		return []natsgo.Option{natsgo.TokenHandler(func() string { return o.again(o.TokenFile).Reveal() })}, err
	case o.User != "":
		_, err := readSecret(o.PasswordFile)
		return []natsgo.Option{natsgo.UserInfoHandler(func() (string, string) {
			return o.User, o.again(o.PasswordFile).Reveal()
		})}, err
	}
	return nil, nil
}

// again reads a secret for a new connection. Without it NATS refuses us, and we
// try again.
func (o Options) again(file string) secret.Text {
	s, err := readSecret(file)
	if err != nil {
		o.Log.Error("cannot read the secret for the bus", "error", err)
	}
	return s
}

func readSecret(file string) (secret.Text, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return secret.Text{}, fmt.Errorf("read the login of the bus: %w", err)
	}
	return secret.New(strings.TrimSpace(string(text))), nil
}

func (o Options) tls() (all []natsgo.Option) {
	for _, u := range o.URLs {
		if strings.HasPrefix(u, "tls://") {
			all = append(all, natsgo.Secure(&tls.Config{MinVersion: tls.VersionTLS12}))
			break
		}
	}
	if o.CAFile != "" {
		all = append(all, natsgo.RootCAs(o.CAFile))
	}
	if o.CertFile != "" {
		all = append(all, natsgo.ClientCert(o.CertFile, o.KeyFile))
	}
	return all
}

// pause is how long to wait before the servers are tried once more. The upper
// half of each pause is chance, so that not all nodes come back at once.
func pause(attempts int) time.Duration {
	d := longPause
	if attempts < 7 {
		d = min(d, shortPause<<max(attempts-1, 0))
	}
	return d/2 + rand.N(d/2)
}
