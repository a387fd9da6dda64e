package app

import (
	"context"
	"fmt"
	"time"

	"gatehouse.dev/internal/config"
	"gatehouse.dev/internal/tenant"
)

// maxSkew is how far this node's clock may be from the database's, by which
// leases and windows are measured.
const maxSkew = 500 * time.Millisecond

// watch says what makes this node ready.
func (s *Server) watch() {
	engine := s.state.Store.Engine()
	s.health.Add("database", func(ctx context.Context) error {
		_, err := s.state.Store.TenantByName(ctx, tenant.Default)
		return err
	})
	s.health.Add("revocations", func(context.Context) error { return s.core.tail.Fresh() })
	s.health.Add("clock", func(ctx context.Context) error {
		before := time.Now()
		theirs, err := engine.Now(ctx)
		if err != nil {
			return err
		}
		return skew(before, theirs, time.Now())
	})
	watchBus(s.core.bus, s.health, s.metrics)
}

// skew compares clocks: theirs was read somewhere between before and after.
func skew(before, theirs, after time.Time) error {
	off := time.Duration(0)
	switch {
	case theirs.Before(before):
		off = before.Sub(theirs)
	case theirs.After(after):
		off = theirs.Sub(after)
	}
	if off > maxSkew {
		return fmt.Errorf("this clock is %v off the database's", off.Round(time.Millisecond))
	}
	return nil
}

// count says what is measured besides requests.
func (s *Server) count() {
	m := s.metrics
	m.Gauge("gatehouse_conns_open", "Sockets and long requests that are open on this node.", func() float64 { return float64(s.core.live.Len()) })
	m.Gauge("gatehouse_revocations_age_seconds", "How old this node's knowledge of revocations is.", func() float64 {
		return min(s.core.tail.Age().Seconds(), 1e9) // before the first read it is endless
	})
	m.Gauge("gatehouse_revocations_applied", "Number of the last change that was applied here.", func() float64 { return float64(s.core.tail.Position().N) })
	m.Gauge("gatehouse_audit_waiting", "Audit events that wait for the database.", func() float64 { return float64(s.core.recorder.Waiting()) })
	m.Counter("gatehouse_connections_turned_away_total", "Connections closed because their source had too many.", func() float64 {
		return float64(s.gateDoor.turnedAway() + s.deskDoor.turnedAway())
	})
	m.Counter("gatehouse_audit_dropped_total", "Audit events that were lost because the database took none for too long.", func() float64 { return float64(s.core.recorder.Dropped()) })
}

// warn says what is allowed but hardly meant.
func (s *Server) warn() {
	c := s.config
	for _, w := range busWarnings(c) {
		s.logger.Warn(w)
	}
	for _, l := range []struct {
		name    string
		at      config.Address
		plain   bool
		proxies []config.Prefix
	}{
		{"gate", c.Gate.Listen, c.Gate.TLS.Cert == "", c.Gate.TrustedProxies},
		{"desk", c.Desk.Listen, c.Desk.TLS.Cert == "", c.Desk.TrustedProxies},
	} {
		if l.plain && !l.at.Loopback() && len(l.proxies) == 0 {
			s.logger.Warn("other machines reach this listener without TLS, so secrets travel in the clear; name a certificate, or the proxy that ends TLS in trusted_proxies",
				"listener", l.name, "address", string(l.at))
		}
	}
}
