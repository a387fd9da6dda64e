package adminapi

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"
)

// SocketName is the Unix socket in the data folder.
const SocketName = "admin.sock"

// maxSocketPath is what sun_path holds on the systems we know (unix(7), unix(4)).
const maxSocketPath = 103

type socketKey struct{}

// fromSocket reports whether the request came over the Unix socket. Only
// [ServeSocket] can have said so.
func fromSocket(ctx context.Context) bool { return ctx.Value(socketKey{}) != nil }

// ListenSocket binds the Unix socket at path, for its owner only. One that a
// killed server left behind is replaced; the lock on the data folder has shown
// that no other server runs.
func ListenSocket(path string) (net.Listener, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("the path %s is too long for a Unix socket (at most %d bytes); choose a shorter data folder", path, maxSocketPath)
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("look at admin socket: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return nil, fmt.Errorf("%s is in the way of the admin socket", path)
	default:
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("remove old admin socket: %w", err)
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on admin socket: %w", err)
	}
	// Until here the umask decides; the peer's credentials are checked anyway.
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("close admin socket to others: %w", err), l.Close())
	}
	return l, nil
}

// ServeSocket serves the API on a Unix socket until ctx ends, to root and to
// the user that this program runs as. They need no key: either could read the
// database anyway.
func ServeSocket(ctx context.Context, l net.Listener, handler http.Handler, log *slog.Logger) error {
	srv := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, socketKey{}, true)
		},
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(&ownListener{l, log, peerUID}) }()
	select {
	case err := <-done:
		return fmt.Errorf("serve admin socket: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := srv.Shutdown(stop); err != nil {
		return fmt.Errorf("stop admin socket: %w", err)
	}
	return nil
}

// ownListener accepts connections of root and of our own user only.
type ownListener struct {
	net.Listener
	log  *slog.Logger
	peer func(net.Conn) (uid uint32, err error)
}

func (l *ownListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		uid, err := l.peer(c)
		if err == nil && mayConnect(uid, os.Geteuid()) {
			return c, nil
		}
		l.log.Warn("admin socket refused a connection", "uid", uid, "error", err)
		c.Close()
	}
}

func mayConnect(peer uint32, own int) bool { return peer == 0 || own >= 0 && peer == uint32(own) }
