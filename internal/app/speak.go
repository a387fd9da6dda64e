package app

import (
	"context"
	"log/slog"

	"gatehouse.dev/internal/config"
	"gatehouse.dev/internal/dialect"
	"gatehouse.dev/internal/dialect/acqueon"
	"gatehouse.dev/internal/dialect/ayyeka"
	"gatehouse.dev/internal/dialect/fieldpine"
	"gatehouse.dev/internal/gateway"
	"gatehouse.dev/internal/tenant"
)

// speaker makes the dialects of one tenant.
type speaker struct {
	entrance *entrance
	settings *config.Tenant
	tenant   tenant.Tenant
	routes   *gateway.Gateway
	core     *core
	config   *config.Config
	logger   *slog.Logger
}

// speak makes those that the configuration names.
func (s *speaker) speak(spoken *spoken) (all []dialect.Dialect, err error) {
	add := func(d dialect.Dialect, failed error) {
		all = append(all, d)
		if err == nil {
			err = failed
		}
	}
	d := s.settings.Dialects
	if d.Ayyeka != nil {
		add(s.ayyeka(d.Ayyeka, spoken.ayyeka[s.tenant.ID]))
	}
	if d.Acqueon != nil {
		add(s.acqueon(d.Acqueon))
	}
	if d.Fieldpine != nil {
		add(s.fieldpine(d.Fieldpine))
	}
	return all, err
}

func (s *speaker) ayyeka(a *config.Ayyeka, c ayyeka.Config) (dialect.Dialect, error) {
	return ayyeka.New(ayyeka.Server{
		Config: c, Door: s.core.door, Issuer: s.core.issuer, Logger: s.logger,
		Upstream: s.upstream(ayyeka.Name, a.Upstream),
	})
}

func (s *speaker) acqueon(a *config.Acqueon) (dialect.Dialect, error) {
	d, run, err := acqueon.New(acqueon.Server{
		Config: acqueonConfig(a, s.settings.Origins),
		Door:   s.core.door, Feeds: s.core.feeds, Wheel: s.entrance.wheel, Turns: s.entrance.turns, Logger: s.logger,
	})
	s.entrance.work = append(s.entrance.work, task{
		"the reports of tenant " + s.tenant.Name, func(ctx context.Context) error { run(ctx); return nil },
	})
	return d, err
}

func acqueonConfig(a *config.Acqueon, origins []config.Origin) acqueon.Config {
	return acqueon.Config{
		Feed: a.Feed, Paths: a.Paths, Prefixes: a.Prefixes, RawToken: a.RawToken,
		BeforeUpgrade: a.Refuse == config.BeforeUpgrade, NewestWins: a.NewestWins,
		Scope: a.Scope, MatchUser: a.MatchUser, Grace: a.Grace.Std(),
		PlainText: a.PlainText, Origins: originsOf(a.Origins, origins),
	}
}

func (s *speaker) fieldpine(f *config.Fieldpine) (dialect.Dialect, error) {
	s.core.pushes.Tenant(s.tenant.ID)
	s.entrance.lastWords = append(s.entrance.lastWords, func() int {
		return s.core.pushes.Here(s.tenant.ID, fieldpine.LinkStatus(f.StopMessage, socketURLs(f.Servers)))
	})
	return fieldpine.New(fieldpine.Server{
		Config: fieldpineConfig(f, s.settings.Origins),
		Door:   s.core.door, Wheel: s.entrance.wheel, Turns: s.entrance.turns, Pushes: s.core.pushes, Tickets: s.core.tickets, Logger: s.logger,
		Endpoints: newEndpoints(f.Endpoints, func(name string) dialect.Upstream { return s.upstream(fieldpine.Name, name) }),
	})
}

func fieldpineConfig(f *config.Fieldpine, origins []config.Origin) fieldpine.Config {
	return fieldpine.Config{
		Alias: f.Alias, Hello: f.Hello, PlainText: f.PlainText, Origins: originsOf(f.Origins, origins), Outer: fieldpine.Outer(f.Authorization),
		Limits: fieldpine.Limits{
			Logins: f.Logins, Firehoses: f.Firehoses, Requests: f.Requests, Patience: f.Patience.Std(), Packet: int(f.Packet), Answer: int(f.Answer),
		},
	}
}

// upstream is a backend as a dialect sees it.
func (s *speaker) upstream(dialectName, name string) dialect.Upstream {
	return s.routes.For(dialectName, s.entrance.upstreams[name], int64(s.config.Limits.Body))
}

// originsOf are a dialect's own origins, or else its tenant's.
func originsOf(own, tenants []config.Origin) (all []string) {
	if len(own) == 0 {
		own = tenants
	}
	for _, o := range own {
		all = append(all, string(o))
	}
	return all
}

func socketURLs(list []config.SocketURL) (all []string) {
	for _, u := range list {
		all = append(all, string(u))
	}
	return all
}
