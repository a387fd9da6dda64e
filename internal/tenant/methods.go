package tenant

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/field"
)

// Switches turns methods off and on.
type Switches struct {
	Store  Methods
	Scribe audit.Scribe
	// Known are the methods of each dialect: another one cannot be switched off,
	// or somebody who mistypes would believe that it is. Nil: any.
	Known map[string][]string
}

var methodShape = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)

func (m Method) check() error {
	if !methodShape.MatchString(m.Dialect) {
		return field.Errorf("dialect", "is not the name of a dialect")
	}
	if !methodShape.MatchString(m.Method) {
		return field.Errorf("method", "is not the name of a method")
	}
	return nil
}

// Off ends what came in by a method and lets nobody in by it again.
func (s *Switches) Off(ctx context.Context, by audit.By, tenant string, m Method) (change int64, err error) {
	if err := s.known(m); err != nil {
		return 0, err
	}
	e, err := s.event(ctx, by, "method.off", tenant, m)
	if err != nil {
		return 0, err
	}
	change, err = s.Store.SwitchMethodOff(ctx, tenant, m, e)
	return change, wrap("switch method off", err)
}

// On allows a method again.
func (s *Switches) On(ctx context.Context, by audit.By, tenant string, m Method) error {
	e, err := s.event(ctx, by, "method.on", tenant, m)
	if err != nil {
		return err
	}
	return wrap("switch method on", s.Store.SwitchMethodOn(ctx, tenant, m, e))
}

func (s *Switches) known(m Method) error {
	if s.Known == nil || m.check() != nil {
		return nil // of which the shape is told
	}
	methods, ok := s.Known[m.Dialect]
	switch {
	case !ok:
		return field.Errorf("dialect", "is none of %s", strings.Join(slices.Sorted(maps.Keys(s.Known)), ", "))
	case !slices.Contains(methods, m.Method):
		return field.Errorf("method", "is none that %s has: %s", m.Dialect, strings.Join(methods, ", "))
	}
	return nil
}

func (s *Switches) event(ctx context.Context, by audit.By, action, tenant string, m Method) (audit.Event, error) {
	if err := m.check(); err != nil {
		return audit.Event{}, err
	}
	e, err := s.Scribe.Event(ctx, by, audit.Event{
		Action: action, Tenant: tenant, Target: tenant,
		Detail: map[string]string{"dialect": m.Dialect, "method": m.Method},
	})
	return e, wrap("prepare audit event", err)
}
