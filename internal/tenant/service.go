package tenant

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/field"
	"gatehouse.dev/internal/id"
)

// Service is how administrators change tenants: it checks what they ask for and
// says in the audit record who asked.
type Service struct {
	Store  Store
	Scribe audit.Scribe
	Now    func() time.Time // nil: time.Now
}

var nameShape = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// NormaliseName checks the name of a tenant and returns it as it is stored. A
// tenant's name is the label of a host, so that it can stand in URLs.
func NormaliseName(s string) (string, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	switch {
	case s == "":
		return "", field.Errorf("name", "is empty")
	case len(s) > 63:
		return "", field.Errorf("name", "is longer than 63 characters")
	case !nameShape.MatchString(s):
		return "", field.Errorf("name", "has other characters than a to z, 0 to 9 and, inside, hyphens")
	}
	return s, nil
}

// Create makes a tenant. ErrExists when the name is taken.
func (s *Service) Create(ctx context.Context, by audit.By, name string) (Tenant, error) {
	name, err := NormaliseName(name)
	if err != nil {
		return Tenant{}, err
	}
	now := time.Now
	if s.Now != nil {
		now = s.Now
	}
	t := Tenant{ID: id.New("ten"), Name: name, Enabled: true, Created: now()}
	e, err := s.event(ctx, by, "tenant.create", t.ID)
	if err != nil {
		return Tenant{}, err
	}
	e.Detail = map[string]string{"name": name}
	t, err = s.Store.CreateTenant(ctx, t, e)
	if err != nil {
		return Tenant{}, fmt.Errorf("create tenant: %w", err)
	}
	return t, nil
}

// Enable lets a disabled tenant work again.
func (s *Service) Enable(ctx context.Context, by audit.By, tenant string) error {
	e, err := s.event(ctx, by, "tenant.enable", tenant)
	if err != nil {
		return err
	}
	return wrap("enable tenant", s.Store.EnableTenant(ctx, tenant, e))
}

// Disable ends everything of a tenant and returns the number of that change.
func (s *Service) Disable(ctx context.Context, by audit.By, tenant string) (change int64, err error) {
	e, err := s.event(ctx, by, "tenant.disable", tenant)
	if err != nil {
		return 0, err
	}
	change, err = s.Store.DisableTenant(ctx, tenant, e)
	return change, wrap("disable tenant", err)
}

func (s *Service) event(ctx context.Context, by audit.By, action, tenant string) (audit.Event, error) {
	e, err := s.Scribe.Event(ctx, by, audit.Event{Action: action, Tenant: tenant, Target: tenant})
	return e, wrap("prepare audit event", err)
}

func wrap(doing string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}
