package app

import (
	"log/slog"
	"net/http"
	"time"

	"gatehouse.dev/internal/config"
	"gatehouse.dev/internal/tenant"
)

const accessLifetime = time.Hour

type gateHouse struct {
	handler http.Handler
	tasks   []task
}

func (*gateHouse) close() {}

func newGate(c *config.Config, tenants map[string]tenant.Tenant, d *dialects, k *core, s *State, l *slog.Logger) (*gateHouse, error) {
	return &gateHouse{handler: http.NotFoundHandler()}, nil
}

func (s *Server) IdentityIssuer() string { return "x" }
