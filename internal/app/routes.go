package app

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"gatehouse.dev/internal/config"
	"gatehouse.dev/internal/gateway"
	"gatehouse.dev/internal/gateway/canonical"
	"gatehouse.dev/internal/gateway/cors"
	"gatehouse.dev/internal/gateway/upstream"
)

// newUpstreams makes the backends of the configuration, by name.
func newUpstreams(c *config.Config, logger *slog.Logger) (map[string]*gateway.Upstream, error) {
	all := map[string]*gateway.Upstream{}
	for name, u := range c.Upstreams {
		trusted, err := authorities(u.CAFile)
		if err != nil {
			return nil, fmt.Errorf("upstream %s: %w", name, err)
		}
		settings := upstream.Config{
			Name: name, H2C: u.H2C, TLS: trusted, MaxConns: u.Connections,
			DialTimeout: u.ConnectTimeout.Std(), ResponseTimeout: u.ResponseTimeout.Std(),
			Health: upstream.Health{Path: u.HealthPath, Interval: u.HealthInterval.Std(), Timeout: u.HealthTimeout.Std()},
			Logger: logger,
		}
		for _, at := range u.URLs {
			settings.Addresses = append(settings.Addresses, string(at))
		}
		pool, err := upstream.New(settings)
		if err != nil {
			return nil, err
		}
		all[name] = &gateway.Upstream{Pool: pool, Audience: u.Audience, KeepHost: u.KeepHost}
	}
	return all, nil
}

// authorities reads certificates to trust; nil means the system's.
func authorities(file config.Path) (*tls.Config, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(string(file))
	if err != nil {
		return nil, fmt.Errorf("read certificates to trust: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s has no certificate in PEM", file)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

// newRoutes reads the routes of the configuration.
func newRoutes(c *config.Config, upstreams map[string]*gateway.Upstream) ([]gateway.Route, error) {
	var all []gateway.Route
	for _, r := range c.Routes {
		route := gateway.Route{
			Name: r.Name, Tenant: r.Tenant, Host: string(r.Host), Path: r.Path, Methods: r.Methods, Rewrite: r.Rewrite,
			KeyHeader: r.KeyHeader, KeyQuery: r.KeyQuery, Origins: tenantOrigins(c, r.Tenant),
			FirstMessage: gateway.FirstMessage{Member: r.FirstMessage.Member, As: gateway.Credential(r.FirstMessage.As)},
			Roles:        r.Roles, Action: r.Action, ResourceType: r.Resource.Type, ResourceID: r.Resource.ID,
			Upstream: upstreams[r.Upstream], WebSocket: r.WebSocket,
			PassCredential: r.PassCredential, PassHeaders: r.PassHeaders,
			MaxBody: int64(r.Body), Limit: rate(r.Limit), CORS: corsPolicy(r.CORS),
		}
		if route.MaxBody == 0 {
			route.MaxBody = int64(c.Limits.Body)
		}
		for _, k := range r.Credentials {
			route.Credentials = append(route.Credentials, gateway.Credential(k))
		}
		var errs []error
		for _, name := range r.AllowPath {
			odd, err := canonical.ParseOddity(name)
			errs = append(errs, err)
			route.Allow |= odd
		}
		if err := errors.Join(errs...); err != nil {
			return nil, fmt.Errorf("route %s: %w", r.Name, err)
		}
		all = append(all, route)
	}
	return all, nil
}

func corsPolicy(c *config.CORS) *cors.Policy {
	if c == nil {
		return nil
	}
	return &cors.Policy{
		Origins: c.Origins, Headers: c.Headers, Expose: c.Expose, Credentials: c.Credentials, MaxAge: c.MaxAge.Std(),
	}
}

// tenantOrigins are those whose pages may open the sockets of a tenant.
func tenantOrigins(c *config.Config, name string) []string {
	t := c.Tenants[name]
	if t == nil {
		return nil
	}
	return originsOf(nil, t.Origins)
}
