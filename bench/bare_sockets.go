package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os/signal"
	"sync"
	"syscall"

	"github.com/gobwas/ws"
)

// bareSockets is the loop that everybody writes with this library: a goroutine
// for each socket, reading; and a list, to send the same frame to all.
type bareSockets struct {
	hello []byte // frame sent to a newcomer; nil: none

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// runBareSockets serves them: GET upgrades, POST /publish sends its body to all,
// POST /close closes all.
func runBareSockets(listen, cert, key, hello string) error {
	s := &bareSockets{conns: make(map[net.Conn]struct{})}
	if hello != "" {
		s.hello = ws.MustCompileFrame(ws.NewTextFrame([]byte(hello)))
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	server := &http.Server{Addr: listen, Handler: s, TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}}
	go func() {
		<-ctx.Done()
		server.Close()
	}()
	var err error
	if cert != "" {
		err = server.ListenAndServeTLS(cert, key)
	} else {
		err = server.ListenAndServe()
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (s *bareSockets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/publish":
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.toAll(ws.MustCompileFrame(ws.NewTextFrame(body)), false)
	case r.Method == http.MethodPost && r.URL.Path == "/close":
		s.toAll(ws.MustCompileFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusPolicyViolation, "gone"))), true)
	case r.Header.Get("Upgrade") == "":
		w.WriteHeader(http.StatusOK)
	default:
		conn, rw, _, err := ws.UpgradeHTTP(r, w)
		if err != nil {
			return
		}
		go s.serve(conn, rw.Reader)
	}
}

func (s *bareSockets) serve(conn net.Conn, in *bufio.Reader) {
	defer conn.Close()
	if s.hello != nil {
		if _, err := conn.Write(s.hello); err != nil {
			return
		}
	}
	s.mu.Lock()
	s.conns[conn] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
	}()
	for {
		h, err := ws.ReadHeader(in)
		if err != nil || h.OpCode == ws.OpClose {
			return
		}
		if _, err := io.CopyN(io.Discard, in, h.Length); err != nil {
			return
		}
	}
}

// toAll writes to one after the other.
func (s *bareSockets) toAll(frame []byte, last bool) {
	s.mu.Lock()
	all := make([]net.Conn, 0, len(s.conns))
	for c := range s.conns {
		all = append(all, c)
	}
	s.mu.Unlock()
	for _, c := range all {
		c.Write(frame)
		if last {
			c.Close()
		}
	}
}
