package app

import (
	"context"
	"fmt"
	"log/slog"

	"gatehouse.dev/internal/bus"
	"gatehouse.dev/internal/bus/inproc"
	"gatehouse.dev/internal/bus/nats"
	"gatehouse.dev/internal/config"
	"gatehouse.dev/internal/ops"
)

// nodesBus is what the nodes talk over; it is closed after everybody who does.
type nodesBus interface {
	bus.Bus
	Close()
}

// newBus makes the bus that the configuration asks for: NATS, or a hub in this
// process.
func newBus(c config.NATS, node string, logger *slog.Logger) (nodesBus, error) {
	if len(c.URLs) == 0 {
		return inproc.New(inproc.DefaultQueue), nil
	}
	o := nats.Options{
		Prefix: c.Prefix, Name: "gatehouse " + node,
		CredentialsFile: string(c.CredentialsFile),
		User:            c.User, PasswordFile: string(c.PasswordFile),
		TokenFile: string(c.TokenFile),
		CAFile:    string(c.TLS.CAFile), CertFile: string(c.TLS.Cert), KeyFile: string(c.TLS.Key),
		Log: logger,
	}
	for _, u := range c.URLs {
		o.URLs = append(o.URLs, string(u))
	}
	b, err := nats.New(o)
	if err != nil {
		return nil, fmt.Errorf("the bus: %w", err)
	}
	return b, nil
}

// watchBus shows what a bus over the network is doing. Losing it makes no node
// unready: revocations are found in the database without it.
func watchBus(b bus.Bus, h *ops.Health, m *ops.Metrics) {
	n, ok := b.(*nats.Bus)
	if !ok {
		return
	}
	h.Note("bus", func(context.Context) error { return n.Check() })
	m.Gauge("gatehouse_bus_connected", "1 while this node is connected to NATS.", func() float64 {
		if n.Check() != nil {
			return 0
		}
		return 1
	})
	m.Counter("gatehouse_bus_reconnects_total", "Connections to NATS that came back.", func() float64 { return float64(n.Reconnects()) })
	m.Counter("gatehouse_bus_lost_total", "Messages that subscribers here are known to have missed; an outage counts once for each.", func() float64 { return float64(n.Lost()) })
	m.Counter("gatehouse_bus_alone_total", "Messages that reached this node only, because NATS was away.", func() float64 { return float64(n.Alone()) })
	m.Counter("gatehouse_bus_refused_total", "Messages that the bus did not take, or gave up on their way.", func() float64 { return float64(n.Refused()) })
}

// busWarnings says what is allowed but hardly meant.
func busWarnings(c *config.Config) (all []string) {
	if c.Bus.NATS.Plain() {
		all = append(all, "messages between nodes travel in the clear to another machine; write tls:// or name certificates below bus.nats.tls")
	}
	if _, postgres := c.Database.Postgres(); len(c.Bus.NATS.URLs) > 0 && !postgres {
		all = append(all, "nodes that share a bus must share a database, and SQLite cannot be shared; several installations on one NATS need different values of bus.nats.prefix")
	}
	return all
}
