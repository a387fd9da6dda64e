// Package natstest gives tests a real NATS server in their own process, that
// they can stop and start again.
package natstest

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Server is a NATS server on a port of its own.
type Server struct {
	options server.Options
	running *server.Server
}

// Start starts a server that ends with the test. Change options as needed; its
// address is chosen here.
func Start(tb testing.TB, change ...func(*server.Options)) *Server {
	tb.Helper()
	s := &Server{options: server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true}}
	for _, c := range change {
		c(&s.options)
	}
	s.Up(tb)
	tb.Cleanup(s.Down)
	return s
}

// Up starts the server again, where it was.
func (s *Server) Up(tb testing.TB) {
	tb.Helper()
	o := s.options
	running, err := server.NewServer(&o)
	if err != nil {
		tb.Fatalf("make the NATS server: %v", err)
	}
	running.Start()
	if !running.ReadyForConnections(10 * time.Second) {
		running.Shutdown()
		tb.Fatal("the NATS server does not come up")
	}
	s.running, s.options.Port = running, o.Port
}

// Down stops the server. All its connections end.
func (s *Server) Down() {
	s.running.Shutdown()
	s.running.WaitForShutdown()
}

// URL is where the server is, also while it is down.
func (s *Server) URL() string { return s.running.ClientURL() }

// Address is host and port.
func (s *Server) Address() string { return s.running.Addr().String() }

// Clients is how many connections the server has.
func (s *Server) Clients() int { return s.running.NumClients() }
