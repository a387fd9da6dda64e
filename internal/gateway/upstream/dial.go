package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// DialError says that no connection could be made, so nothing was sent.
type DialError struct{ Err error }

func (e *DialError) Error() string { return "connect: " + e.Err.Error() }
func (e *DialError) Unwrap() error { return e.Err }

// Timeout implements net.Error.
func (e *DialError) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.Is(e.Err, context.DeadlineExceeded) || errors.As(e.Err, &t) && t.Timeout()
}

// Temporary implements net.Error.
func (e *DialError) Temporary() bool { return false }

// dialer connects within one deadline, TLS included.
type dialer struct {
	timeout time.Duration
	config  *tls.Config
	net     net.Dialer
}

func newDialer(c Config) *dialer {
	config := c.TLS
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return &dialer{timeout: c.DialTimeout, config: config, net: net.Dialer{KeepAlive: 30 * time.Second}}
}

func (d *dialer) plain(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	c, err := d.net.DialContext(ctx, network, addr)
	if err != nil {
		return nil, &DialError{err}
	}
	return c, nil
}

func (d *dialer) tls(ctx context.Context, network, addr string) (net.Conn, error) {
	return d.handshake(ctx, network, addr, "h2", "http/1.1")
}

func (d *dialer) handshake(ctx context.Context, network, addr string, protocols ...string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	raw, err := d.net.DialContext(ctx, network, addr)
	if err != nil {
		return nil, &DialError{err}
	}
	config := d.config.Clone()
	config.NextProtos = protocols
	if config.ServerName == "" {
		if config.ServerName, _, err = net.SplitHostPort(addr); err != nil {
			raw.Close()
			return nil, &DialError{err}
		}
	}
	c := tls.Client(raw, config)
	if err := c.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, &DialError{fmt.Errorf("TLS handshake: %w", err)}
	}
	return c, nil
}
