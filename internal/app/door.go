package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/net/netutil"

	"gatehouse.dev/internal/arrivals"
	"gatehouse.dev/internal/config"
	"gatehouse.dev/internal/gateway/forwarded"
)

// door is one listener and the server behind it.
type door struct {
	name     string
	listener net.Listener
	arrivals *arrivals.Listener
	server   *http.Server
	tls      bool
}

// doorOptions say how a door differs from the others.
type doorOptions struct {
	name    string
	address config.Address
	handler http.Handler
	tls     *tls.Config // nil: plain
	limits  config.Limits
	most    int             // connections at once; 0: no bound
	trust   forwarded.Trust // whose connections are not counted by source
	mode    fs.FileMode     // of a Unix socket
	logger  *slog.Logger
}

// openDoor binds the address. Nothing is served before [door.serve].
func openDoor(o doorOptions) (*door, error) {
	bound, err := bind(o.address, o.mode)
	if err != nil {
		return nil, fmt.Errorf("listen for the %s: %w", o.name, err)
	}
	l, err := arrivals.New(bound, arrivals.Options{
		Room: o.most, Patience: o.limits.HeaderTimeout.Std(),
		PerSource: o.limits.ConnectionsPerSource, Uncounted: o.trust.Trusted,
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen for the %s: %w", o.name, err), bound.Close())
	}
	d := &door{name: o.name, listener: l, arrivals: l, tls: o.tls != nil}
	if o.most > 0 {
		d.listener = netutil.LimitListener(l, o.most)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(o.tls == nil) // from a proxy that ends TLS
	d.server = &http.Server{
		Handler:           bodyDeadline(o.limits.BodyTimeout.Std(), lastWrite(o.limits.BodyTimeout.Std(), o.handler)),
		ReadHeaderTimeout: o.limits.HeaderTimeout.Std(),
		IdleTimeout:       o.limits.IdleTimeout.Std(),
		MaxHeaderBytes:    int(o.limits.Header),
		TLSConfig:         o.tls,
		Protocols:         protocols,
		// Handshakes that fail and the like: what the world does to every open port.
		ErrorLog: slog.NewLogLogger(o.logger.With("listener", o.name).Handler(), slog.LevelDebug),
	}
	return d, nil
}

func bind(a config.Address, mode fs.FileMode) (net.Listener, error) {
	path := a.Unix()
	if path == "" {
		return net.Listen("tcp", string(a))
	}
	// A socket left behind by a server that was killed; the lock on the data folder
	// has shown that none is running.
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, mode); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// serve answers until the door is closed.
func (d *door) serve() error {
	var err error
	if d.tls {
		err = d.server.ServeTLS(d.listener, "", "")
	} else {
		err = d.server.Serve(d.listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve the %s: %w", d.name, err)
}

// close takes no more connections and waits for requests in progress. When ctx
// ends first, what is left is cut.
func (d *door) close(ctx context.Context) error {
	if err := d.server.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("the %s cut requests short: %w", d.name, err), d.server.Close())
	}
	return nil
}

// turnedAway is how many connections were closed because their source had too
// many.
func (d *door) turnedAway() int64 {
	return d.arrivals.TurnedAway()
}

// url is where the door can be reached from this machine.
func (d *door) url() string {
	scheme := "http"
	if d.tls {
		scheme = "https"
	}
	at, ok := d.listener.Addr().(*net.TCPAddr)
	if !ok {
		return "unix:" + d.listener.Addr().String()
	}
	host := at.IP.String()
	if at.IP.IsUnspecified() { // every address, so this one too
		host = "127.0.0.1"
	}
	return fmt.Sprintf("%s://%s", scheme, net.JoinHostPort(host, fmt.Sprint(at.Port)))
}

// bodyDeadline lets a caller pause inside a request body for at most d. A
// timeout for the whole body would end honest uploads that are merely large.
//
// A body that nobody reads has the deadline, too: net/http reads it to its end
// before it sends the answer, so whoever announces one and sends nothing would
// otherwise hold a connection for good, refused or not. In HTTP/2 it does not.
func bodyDeadline(d time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != nil && r.Body != http.NoBody {
			b := &patientBody{ReadCloser: r.Body, control: http.NewResponseController(w), patience: d}
			if r.ProtoMajor == 1 {
				_ = b.control.SetReadDeadline(time.Now().Add(d))
			}
			r.Body = b
		}
		next.ServeHTTP(w, r)
	})
}

// lastWrite limits how long a caller may take to let an HTTP/2 answer out after
// the handler has returned. A caller can allow a stream no bytes at all, and the
// stream, which keeps its connection from being idle, would wait for ever.
// HTTP/1 has the connection's deadline, which the handlers set.
func lastWrite(d time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		if r.ProtoMajor != 1 {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d))
		}
	})
}

type patientBody struct {
	io.ReadCloser
	control  *http.ResponseController
	patience time.Duration
}

// Unwrap lets whoever guards the body in its own way reach what is below.
func (b *patientBody) Unwrap() io.ReadCloser { return b.ReadCloser }

// Read implements io.Reader. The deadline is taken away at the end of the body:
// it would otherwise end the wait for a client that has said all it had to say
// and listens to a long answer.
func (b *patientBody) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(b.patience))
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}
