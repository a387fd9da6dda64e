package proxy_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"gatehouse.dev/internal/gateway/canonical"
	"gatehouse.dev/internal/gateway/hygiene"
	"gatehouse.dev/internal/gateway/problem"
	"gatehouse.dev/internal/gateway/proxy"
	"gatehouse.dev/internal/gateway/upstream"
)

// wires are the ways to speak to a backend; each exchange must look the same
// over all of them.
var wires = []string{"http/1.1", "h2c", "https"}

// newBackend serves h over one of the wires and returns a pool for it.
func newBackend(t testing.TB, wire string, h http.Handler, change ...func(*upstream.Config)) *upstream.Pool {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	config := upstream.Config{Name: "backend"}
	switch wire {
	case "http/1.1":
		s.Start()
	case "h2c":
		s.Config.Protocols = new(http.Protocols)
		s.Config.Protocols.SetUnencryptedHTTP2(true)
		config.H2C = true
		s.Start()
	case "https":
		s.EnableHTTP2 = true
		s.StartTLS()
		roots := x509.NewCertPool()
		roots.AddCert(s.Certificate())
		config.TLS = &tls.Config{RootCAs: roots}
	}
	t.Cleanup(s.Close)
	t.Cleanup(s.CloseClientConnections)
	config.Addresses = []string{s.URL}
	return newPool(t, config, change...)
}

func newPool(t testing.TB, config upstream.Config, change ...func(*upstream.Config)) *upstream.Pool {
	t.Helper()
	for _, f := range change {
		f(&config)
	}
	p, err := upstream.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.CloseIdle)
	return p
}

// front is a gate that lets everybody through.
type front struct {
	*httptest.Server
	pool     *upstream.Pool
	exchange proxy.Exchange     // template
	ended    chan error         // what each exchange ended with
	cancel   context.CancelFunc // ends all exchanges
}

// newFront serves HTTP/1.1 and, over TLS, HTTP/2.
func newFront(t testing.TB, pool *upstream.Pool, x proxy.Exchange) *front {
	t.Helper()
	f := &front{pool: pool, exchange: x, ended: make(chan error, 100)}
	ctx, cancel := context.WithCancel(t.Context())
	f.cancel = cancel
	f.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, stop := mergeCancel(r.Context(), ctx)
		defer stop()
		f.serve(ctx, w, r)
	}))
	f.Start()
	t.Cleanup(f.Close)
	t.Cleanup(f.CloseClientConnections)
	return f
}

func mergeCancel(a, b context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(a)
	stop := context.AfterFunc(b, cancel)
	return ctx, func() { stop(); cancel() }
}

func (f *front) serve(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	path, err := canonical.Parse(r.URL.EscapedPath())
	if err != nil {
		problem.Write(w, 400, err.Error(), "")
		return
	}
	rules := &hygiene.Rules{}
	x := f.exchange
	x.Upstream, x.Path, x.Query, x.Header, x.KeepTrailer = f.pool, path, r.URL.RawQuery, rules.Request(r), rules.Trailer
	if x.Host == "" {
		x.Host = r.Host
	}
	_, err = proxy.Serve(ctx, w, r, &x)
	f.ended <- err
	var refused *proxy.Error
	if errors.As(err, &refused) {
		problem.Write(w, refused.Status, refused.Detail, "")
	} else if err != nil {
		panic(http.ErrAbortHandler)
	}
}

// outcome is how the next exchange ended.
func (f *front) outcome(t testing.TB) error {
	t.Helper()
	select {
	case err := <-f.ended:
		return err
	case <-time.After(10 * time.Second):
		t.Fatal("the exchange did not end")
		return nil
	}
}

// raw is a connection to the front for requests that net/http would not make.
func (f *front) raw(t testing.TB) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", f.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(15 * time.Second))
	return c, bufio.NewReader(c)
}

// refusedAddress is an address where nobody listens.
func refusedAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}
