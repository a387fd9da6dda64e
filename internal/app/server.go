package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"gatehouse.dev/internal/adminapi"
	"gatehouse.dev/internal/config"
	"gatehouse.dev/internal/gateway/forwarded"
	"gatehouse.dev/internal/live"
	"gatehouse.dev/internal/logging"
	"gatehouse.dev/internal/ops"
	"gatehouse.dev/internal/tenant"
	"gatehouse.dev/internal/tlsfiles"
)

// Options are what a server is made of.
type Options struct {
	Config  *config.Config
	State   *State // the server's from now on: it closes it
	Logger  *slog.Logger
	Version string
	// Leeway is how long after its expiry a credential's conns are ended, for
	// clocks that differ; 0: 30 s.
	Leeway time.Duration
	// Grace is how long conns stay, silent, on a node that has heard nothing of
	// revocations for longer than its lease, and Spread over how long they end then;
	// 0: 30 s and 10 s.
	Grace, Spread time.Duration
}

// Server is Gatehouse, put together.
type Server struct {
	config *config.Config
	state  *State
	logger *slog.Logger

	core     *core
	spoken   *spoken
	home     tenant.Tenant
	entrance *entrance
	health   *ops.Health
	metrics  *ops.Metrics
	crew     *crew

	gateDoor, deskDoor, opsDoor *door
	adminSocket                 net.Listener
	api                         http.Handler
	certificates                []*tlsfiles.Pair
}

// New puts the server together and binds its listeners. Nothing is served and
// nothing works in the background before Run.
func New(ctx context.Context, o Options) (_ *Server, err error) {
	c := o.Config
	s := &Server{config: c, state: o.State, logger: o.Logger, health: new(ops.Health), crew: newCrew()}
	s.metrics = ops.NewMetrics(o.Version)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.abandon())
		}
	}()

	// Who is served, in which protocols.
	tenants, err := s.state.EnsureTenants(ctx, c)
	if err != nil {
		return nil, err
	}
	s.home, s.spoken = tenants[tenant.Default], newSpoken(c, tenants)

	// The one way in, and what stands on it.
	if s.core, err = newCore(c, s.state, s.spoken.profiles, foreignIssuers(c, tenants), policyParts(), live.Options{Leeway: o.Leeway, Grace: o.Grace, Spread: o.Spread, Log: s.logger}, s.logger); err != nil {
		return nil, err
	}
	if s.entrance, err = newEntrance(c, tenants, s.spoken, s.core, s.state, s.logger); err != nil {
		return nil, err
	}
	s.core.follower.Installation = tenants[tenant.Default].ID
	s.api = newAPI(c, s.state, s.core, s.spoken.link)
	s.count()
	s.watch()

	return s, s.open()
}

// open binds every listener.
func (s *Server) open() (err error) {
	c := s.config
	deskHandler := &desk{hosts: map[config.Host]bool{}, trust: trust(c.Desk.TrustedProxies, c.Desk.ProxyHeaders), home: s.home, api: s.api}
	for _, h := range c.Desk.Hosts {
		deskHandler.hosts[h] = true
	}
	if s.gateDoor, err = s.openPublic("gate", c.Gate.Listen, c.Gate.TLS, s.entrance.gate, c.Limits.Connections, trust(c.Gate.TrustedProxies, c.Gate.ProxyHeaders)); err != nil {
		return err
	}
	if s.deskDoor, err = s.openPublic("desk", c.Desk.Listen, c.Desk.TLS, deskHandler, 0, trust(c.Desk.TrustedProxies, c.Desk.ProxyHeaders)); err != nil {
		return err
	}
	if s.adminSocket, err = adminapi.ListenSocket(AdminSocket(c.DataDir)); err != nil {
		return err
	}
	if c.Ops.Listen == config.Off {
		return nil
	}
	s.opsDoor, err = openDoor(doorOptions{
		name: "ops", address: c.Ops.Listen, handler: ops.Handler(s.health, s.metrics), limits: c.Limits, mode: 0o660, logger: s.logger,
	})
	return err
}

// openPublic binds a listener whose requests are logged and counted.
func (s *Server) openPublic(name string, at config.Address, files config.TLS, h http.Handler, most int, proxies forwarded.Trust) (*door, error) {
	o := doorOptions{
		name: name, address: at, limits: s.config.Limits, most: most, logger: s.logger,
		trust: proxies,
	}
	if files.Cert != "" {
		pair, err := tlsfiles.Open(string(files.Cert), string(files.Key), s.logger)
		if err != nil {
			return nil, fmt.Errorf("the certificate of the %s: %w", name, err)
		}
		s.certificates = append(s.certificates, pair)
		s.health.Add(name+" certificate", pair.Check)
		o.tls = pair.Config()
	}
	requests := &logging.Requests{Listener: name, Logger: s.logger, Quiet: !s.config.Log.Requests, Observe: s.metrics.Observe}
	o.handler = requests.Wrap(h)
	return openDoor(o)
}

// Run serves until ctx ends, and then drains.
func (s *Server) Run(ctx context.Context) error {
	startup, cancel := context.WithTimeout(ctx, startTime)
	err := s.core.start(startup, s.crew, s.state)
	cancel()
	if err != nil {
		if ctx.Err() != nil {
			err = nil // stopped before it began
		}
		return errors.Join(err, s.abandon())
	}
	s.crew.start(s.entrance.tasks()...)
	watches := []task{{"giving memory back", func(ctx context.Context) error { return newCalm().run(ctx, 2*time.Second) }}}
	for _, pair := range s.certificates {
		watches = append(watches, task{"the certificates", func(ctx context.Context) error { pair.Watch(ctx, 5*time.Second); return nil }})
	}
	s.crew.start(append(watches, task{"the admin socket", func(ctx context.Context) error {
		return adminapi.ServeSocket(ctx, s.adminSocket, s.localAPI(), s.logger)
	}})...)

	s.warn()
	broken := make(chan error, 3)
	for _, d := range s.doors() {
		s.logger.Info("listening", "listener", d.name, "url", d.url())
		go func() {
			if err := d.serve(); err != nil {
				broken <- err
			}
		}()
	}
	s.spoken.prepareKeys(ctx, s.core, s.home.ID)
	select {
	case <-ctx.Done():
		s.logger.Info("stopping", "drain", s.config.Shutdown.Drain.String())
	case err = <-broken:
	case err = <-s.crew.failed:
	}
	return errors.Join(err, s.drain())
}

// startTime bounds the time until this node knows what has been taken away.
const startTime = 30 * time.Second

// localAPI is the admin API as the socket serves it, logged like the rest.
func (s *Server) localAPI() http.Handler {
	requests := &logging.Requests{Listener: "socket", Logger: s.logger, Quiet: !s.config.Log.Requests, Observe: s.metrics.Observe}
	return requests.Wrap(s.api)
}

// drain ends in order: no more requests are sent here, none are taken, those in
// progress end, sockets are told to come back elsewhere, the background finishes
// what it holds, and the database closes last. The ops listener answers until
// the end, so that who watches sees why.
func (s *Server) drain() error {
	s.health.Drain()
	patience := s.config.Shutdown.Drain.Std()
	ctx, cancel := context.WithTimeout(context.Background(), patience+time.Second)
	defer cancel()

	s.entrance.announce(min(maxLastWords, patience/10))
	left := make(chan int, 1)
	go func() { left <- s.core.live.Drain(ctx, patience/2) }()
	errs := []error{s.gateDoor.close(ctx), s.deskDoor.close(ctx)}
	if n := <-left; n > 0 {
		errs = append(errs, fmt.Errorf("%d sockets and downloads were cut", n))
	}
	s.entrance.close()
	errs = append(errs, s.crew.home(), s.core.close(), s.state.Close())
	if s.opsDoor != nil {
		errs = append(errs, s.opsDoor.server.Close())
	}
	err := errors.Join(errs...)
	if err == nil {
		s.logger.Info("stopped")
	}
	return err
}

// abandon closes what was opened by a server that never served.
func (s *Server) abandon() error {
	var errs []error
	for _, d := range s.doors() {
		errs = append(errs, d.listener.Close())
	}
	if s.adminSocket != nil {
		errs = append(errs, s.adminSocket.Close())
	}
	errs = append(errs, s.crew.home())
	if s.core != nil {
		errs = append(errs, s.core.close())
	}
	return errors.Join(append(errs, s.state.Close())...)
}

func (s *Server) doors() []*door {
	var open []*door
	for _, d := range []*door{s.gateDoor, s.deskDoor, s.opsDoor} {
		if d != nil {
			open = append(open, d)
		}
	}
	return open
}

func trust(proxies []config.Prefix, headers config.ProxyHeaders) forwarded.Trust {
	t := forwarded.Trust{Style: forwarded.Style(headers)}
	for _, p := range proxies {
		t.Proxies = append(t.Proxies, p.Prefix)
	}
	return t
}
