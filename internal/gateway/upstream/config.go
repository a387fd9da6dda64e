package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gatehouse.dev/internal/gateway/h1"
)

// Config describes one backend. Zero durations mean the stated defaults.
type Config struct {
	// Name is what routes call it, and the audience of the identities sent.
	Name string
	// Addresses are base URLs without a path: http://10.0.0.5:9000. All have
	// one scheme.
	Addresses []string
	// H2C speaks HTTP/2 without TLS. Over https, HTTP/2 is negotiated.
	H2C bool
	// TLS is for https; nil means the system's authorities.
	TLS *tls.Config

	DialTimeout     time.Duration // connect and TLS handshake; 5 s
	ResponseTimeout time.Duration // from the request's end to the response's headers; 60 s
	IdleTimeout     time.Duration // an unused connection is kept this long; 90 s
	MaxConns        int           // per address; 0 means no limit

	Health Health
	Logger *slog.Logger // nil means slog.Default()
}

// Health is how addresses are checked when nobody asks them. The zero value
// does not check.
type Health struct {
	Path     string        // answered with a status below 400 when well; empty turns checks off
	Interval time.Duration // 10 s
	Timeout  time.Duration // 2 s
}

// New checks the configuration; it connects to nothing.
func New(c Config) (*Pool, error) {
	if c.Name == "" {
		return nil, errors.New("upstream without a name")
	}
	if len(c.Addresses) == 0 {
		return nil, fmt.Errorf("upstream %s has no address", c.Name)
	}
	c.DialTimeout = orDefault(c.DialTimeout, 5*time.Second)
	c.ResponseTimeout = orDefault(c.ResponseTimeout, time.Minute)
	c.IdleTimeout = orDefault(c.IdleTimeout, 90*time.Second)
	c.Health.Interval = orDefault(c.Health.Interval, 10*time.Second)
	c.Health.Timeout = orDefault(c.Health.Timeout, 2*time.Second)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Health.Path != "" && !strings.HasPrefix(c.Health.Path, "/") {
		return nil, fmt.Errorf("upstream %s: health path must begin with a slash", c.Name)
	}
	p := &Pool{name: c.Name, config: c, dialer: newDialer(c)}
	for _, text := range c.Addresses {
		a, err := parseAddress(text)
		if err != nil {
			return nil, fmt.Errorf("upstream %s: %w", c.Name, err)
		}
		if p.scheme != "" && a.scheme != p.scheme {
			return nil, fmt.Errorf("upstream %s mixes http and https", c.Name)
		}
		p.scheme = a.scheme
		if p.scheme == "http" && !c.H2C {
			a.lean = p.newLean(a)
		}
		p.addresses = append(p.addresses, a)
	}
	if c.H2C && p.scheme != "http" {
		return nil, fmt.Errorf("upstream %s: h2c is for http addresses; https negotiates HTTP/2 by itself", c.Name)
	}
	p.transport = p.newTransport()
	return p, nil
}

func orDefault(d, def time.Duration) time.Duration {
	if d <= 0 {
		return def
	}
	return d
}

func parseAddress(text string) (*address, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return nil, errors.New("an address is http://host:port or https://host:port")
	case u.User != nil:
		return nil, errors.New("an address carries no user name or password")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("address %s: paths are forwarded unchanged, so an address has none", u.Host)
	}
	a := &address{scheme: u.Scheme, host: u.Host, dial: u.Host}
	if u.Port() == "" {
		a.dial = u.Hostname() + map[string]string{"http": ":80", "https": ":443"}[u.Scheme]
		if strings.Contains(u.Hostname(), ":") {
			a.dial = "[" + u.Hostname() + "]" + a.dial[len(u.Hostname()):]
		}
	}
	return a, nil
}

// maxIdle is how many unused connections an address keeps.
const maxIdle = 512

// newLean makes the client for plain HTTP/1.1, which nearly all backends speak.
func (p *Pool) newLean(a *address) *h1.Client {
	c := &h1.Client{
		Dial: func(ctx context.Context) (net.Conn, error) {
			return p.dialer.plain(ctx, "tcp", a.dial)
		},
		ResponseTimeout: p.config.ResponseTimeout,
		IdleTimeout:     p.config.IdleTimeout,
		MaxIdle:         maxIdle,
		MaxHeader:       maxHeader,
	}
	if p.config.MaxConns > 0 {
		c.Slots = make(chan struct{}, p.config.MaxConns)
	}
	return c
}

// maxHeader bounds the headers of an answer.
const maxHeader = 256 << 10

// newTransport is tuned for a proxy: many idle connections to few hosts, no
// transparent decompression (bodies pass as they are), no proxy of its own.
func (p *Pool) newTransport() *http.Transport {
	t := &http.Transport{
		DialContext:            p.dialer.plain,
		DialTLSContext:         p.dialer.tls,
		MaxIdleConnsPerHost:    512,
		MaxConnsPerHost:        p.config.MaxConns,
		IdleConnTimeout:        p.config.IdleTimeout,
		ResponseHeaderTimeout:  p.config.ResponseTimeout,
		ExpectContinueTimeout:  time.Second,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
		ForceAttemptHTTP2:      true,
		Protocols:              new(http.Protocols),
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 10 * time.Second},
	}
	if p.config.H2C {
		t.Protocols.SetUnencryptedHTTP2(true)
	} else {
		t.Protocols.SetHTTP1(true)
		t.Protocols.SetHTTP2(true)
	}
	return t
}
