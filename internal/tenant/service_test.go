package tenant_test

import (
	"context"
	"strings"
	"testing"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/field"
	"gatehouse.dev/internal/tenant"
)

type shelf struct {
	tenant.Store
	stored tenant.Tenant
	events []audit.Event
}

func (s *shelf) CreateTenant(_ context.Context, t tenant.Tenant, e audit.Event) (tenant.Tenant, error) {
	s.stored, s.events = t, append(s.events, e)
	return t, nil
}

func (s *shelf) DisableTenant(_ context.Context, id string, e audit.Event) (int64, error) {
	s.events = append(s.events, e)
	return 5, nil
}

func TestService(t *testing.T) {
	t.Parallel()
	s := &shelf{}
	svc := &tenant.Service{Store: s}
	got, err := svc.Create(t.Context(), audit.By{Actor: "local"}, " Acme-1 ")
	if err != nil {
		t.Fatal(err)
	}
	if s.stored.Name != "acme-1" || !s.stored.Enabled || !strings.HasPrefix(got.ID, "ten_") || s.stored.Created.IsZero() {
		t.Errorf("stored %+v", s.stored)
	}
	change, err := svc.Disable(t.Context(), audit.By{Actor: "local"}, got.ID)
	if err != nil || change != 5 {
		t.Fatal(change, err)
	}
	for i, want := range []string{"tenant.create", "tenant.disable"} {
		if e := s.events[i]; e.Action != want || e.Actor != "local" || e.Target != got.ID || e.Tenant != got.ID {
			t.Errorf("event %+v", e)
		}
	}
}

func TestNormaliseName(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", " ", "-a", "a-", "a b", "a.b", "ä", "a\x00", strings.Repeat("a", 64)} {
		if got, err := tenant.NormaliseName(bad); len(field.Errors(err)) != 1 {
			t.Errorf("%q: accepted as %q (%v)", bad, got, err)
		}
	}
	for _, good := range []string{"a", "0", "a-b", "acme", strings.Repeat("a", 63)} {
		if got, err := tenant.NormaliseName(good); err != nil || got != good {
			t.Errorf("%q: %q, %v", good, got, err)
		}
	}
}
