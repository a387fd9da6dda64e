package app

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"gatehouse.dev/internal/config"
	"gatehouse.dev/internal/dialect"
	"gatehouse.dev/internal/fair"
	"gatehouse.dev/internal/feedapi"
	"gatehouse.dev/internal/gate"
	"gatehouse.dev/internal/gateway"
	"gatehouse.dev/internal/gateway/relay"
	"gatehouse.dev/internal/socket"
	"gatehouse.dev/internal/tenant"
)

// entrance is everything behind the listener for callers.
type entrance struct {
	gate      *gate.Gate
	dialects  []dialect.Dialect
	routes    []gateway.Route
	upstreams map[string]*gateway.Upstream
	wheel     *socket.Wheel
	turns     *fair.Queue // in which those who open sockets are verified
	work      []task      // of the dialects
	lastWords []func() (heard int)
}

// Ten thousand clients that come back at once must not fail anybody else. What
// their logins need of the processors is taken by a few at a time, in turn by
// source; the others wait, which costs a few KiB each. Those who wait for somebody
// else in their turn, such as a foreign issuer, keep it without holding others up.
const (
	turnsAtOnce  = 4096
	turnsWaiting = 16384
)

// newEntrance puts backends, routes and dialects on the hosts of their tenants.
func newEntrance(c *config.Config, tenants map[string]tenant.Tenant, spoken *spoken, k *core, s *State, logger *slog.Logger) (_ *entrance, err error) {
	e := &entrance{wheel: socket.NewWheel(), turns: fair.NewQueue(turnsAtOnce, turnsWaiting)}
	e.turns.InBatches(2 * runtime.GOMAXPROCS(0))
	if e.upstreams, err = newUpstreams(c, logger); err != nil {
		return nil, err
	}
	if e.routes, err = newRoutes(c, e.upstreams); err != nil {
		return nil, err
	}
	house := tenants[tenant.Default].ID
	routes, err := gateway.New(gateway.Options{
		Routes: e.routes, Door: k.door, Signer: k.keys, Log: k.tail,
		Issuer: c.Identity.Issuer, House: house,
		Wheel: e.wheel, Sockets: relay.Options{}, Tickets: k.tickets, Stall: c.Limits.BodyTimeout.Std(),
		AuthProxies: trust(c.ForwardAuth.Proxies, c.Gate.ProxyHeaders), Logger: logger,
	})
	if err != nil {
		return nil, fmt.Errorf("put the routes together: %w", err)
	}

	publishing, err := feedapi.New(feedapi.Options{Door: k.door, Feeds: k.feeds, Patience: c.Limits.BodyTimeout.Std(), Logger: logger})
	if err != nil {
		return nil, err
	}
	o := gate.Options{
		Feeds: publishing.Serve, Routes: e.routes, Gateway: routes, Trust: trust(c.Gate.TrustedProxies, c.Gate.ProxyHeaders),
		Keys: k.keys, House: house, Store: s.Store, Log: k.tail, Logger: logger,
	}
	for name, t := range tenants {
		at := gate.Tenant{Tenant: t}
		settings := c.Tenants[name]
		if settings == nil && len(c.Tenants) > 0 {
			continue // the default tenant exists, but no host was given to it
		}
		if settings != nil {
			for _, h := range settings.Hosts {
				at.Hosts = append(at.Hosts, string(h))
			}
			s := speaker{entrance: e, settings: settings, tenant: t, routes: routes, core: k, config: c, logger: logger}
			if at.Dialects, err = s.speak(spoken); err != nil {
				return nil, fmt.Errorf("tenant %s: %w", name, err)
			}
		}
		e.dialects = append(e.dialects, at.Dialects...)
		o.Tenants = append(o.Tenants, at)
	}
	e.gate, err = gate.New(o)
	return e, err
}

// tasks is what must run for the entrance to work.
func (e *entrance) tasks() []task {
	all := append([]task{{"the clock of the sockets", func(ctx context.Context) error { e.wheel.Run(ctx); return nil }}}, e.work...)
	for name, u := range e.upstreams {
		all = append(all, task{"the health of upstream " + name, u.Pool.Run})
	}
	return all
}

// maxLastWords is how long clients that were told of the stop may read it before
// the first of them is closed.
const maxLastWords = 500 * time.Millisecond

// announce tells the clients of protocols that have words for it that this node
// is about to stop. A close overtakes what is queued, so they get a moment.
func (e *entrance) announce(moment time.Duration) {
	heard := 0
	for _, say := range e.lastWords {
		heard += say()
	}
	if heard > 0 {
		time.Sleep(moment)
	}
}

// close lets go of connections to backends.
func (e *entrance) close() {
	for _, u := range e.upstreams {
		u.Pool.CloseIdle()
	}
}

// accessLifetime is how long our own access tokens live.
const accessLifetime = time.Hour
