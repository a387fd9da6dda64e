package tlsfiles

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Pair is a certificate and its key, as they are now. It is safe for concurrent
// use.
type Pair struct {
	certFile, keyFile string
	logger            *slog.Logger
	now               func() time.Time

	current atomic.Pointer[tls.Certificate]

	mu   sync.Mutex        // one look at a time
	seen [sha256.Size]byte // digest of what the files held at the last look; zero: unreadable
}

// Open reads both files. It fails when they do not make a pair: a server should
// not start without its certificate.
func Open(certFile, keyFile string, logger *slog.Logger) (*Pair, error) {
	p := &Pair{certFile: certFile, keyFile: keyFile, logger: logger, now: time.Now}
	if _, err := p.Reload(); err != nil {
		return nil, err
	}
	return p, nil
}

// Reload looks at the files and takes them if they changed and are good. An
// error leaves the old certificate in use and is returned once per change of the
// files.
func (p *Pair) Reload() (changed bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	cert, errCert := os.ReadFile(p.certFile)
	key, errKey := os.ReadFile(p.keyFile)
	if err := errors.Join(errCert, errKey); err != nil {
		again := p.seen == [sha256.Size]byte{} && p.current.Load() != nil
		p.seen = [sha256.Size]byte{}
		if again {
			return false, nil
		}
		return false, fmt.Errorf("read certificate: %w", err)
	}
	seen := sha256.Sum256(slices.Concat(cert, []byte{0}, key))
	if seen == p.seen {
		return false, nil
	}
	p.seen = seen
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return false, fmt.Errorf("load certificate %s with key %s: %w", p.certFile, p.keyFile, err)
	}
	before := p.current.Swap(&pair)
	return before == nil || !bytes.Equal(before.Certificate[0], pair.Certificate[0]), nil
}

// Watch looks at the files every few seconds until ctx ends.
func (p *Pair) Watch(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		changed, err := p.Reload()
		switch {
		case err != nil:
			p.logger.Error("the new certificate is not usable; the old one stays", "error", err, "expires", p.Expires())
		case changed:
			p.logger.Info("took up a new certificate", "file", p.certFile, "expires", p.Expires())
		}
	}
}

// Expires is when the certificate in use ends.
func (p *Pair) Expires() time.Time { return p.leaf().NotAfter }

func (p *Pair) leaf() *x509.Certificate { return p.current.Load().Leaf }

// Check is a health check: an error when the certificate in use has expired.
func (p *Pair) Check(context.Context) error {
	if end := p.Expires(); p.now().After(end) {
		return fmt.Errorf("the certificate expired at %v", end)
	}
	return nil
}

// Config is a TLS configuration that always shows the newest certificate.
// TLS 1.2 is the oldest version, with the standard library's choice of suites.
func (p *Pair) Config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.current.Load(), nil },
	}
}
