package principal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/field"
	"gatehouse.dev/internal/id"
)

// Roles tells which roles a tenant's rules know.
type Roles interface {
	// KnownRole returns an error when role cannot be a role's name at all.
	KnownRole(ctx context.Context, tenant, role string) (bool, error)
}

// Service is how administrators change principals: it checks what they ask for
// and says in the audit record who asked.
type Service struct {
	Store  Store
	Roles  Roles
	Scribe audit.Scribe
	Now    func() time.Time // nil: time.Now
}

// MaxReuseWindow bounds Principal.ReuseWindow: beyond it a token that is given
// again has hardly any life left.
const MaxReuseWindow = time.Hour

const maxRoles = 100

// Create makes a principal of p.Tenant, p.Kind and p.Name, with roles. The
// caller sets none of ID, Number and Created. ErrExists when the name is taken.
func (s *Service) Create(ctx context.Context, by audit.By, p Principal) (Principal, error) {
	if !p.Kind.Known() {
		return Principal{}, field.Errorf("kind", "is not a kind of principal")
	}
	name, errName := NormaliseName(p.Kind, p.Name)
	p.Name = name
	errText := s.texts(&p.DisplayName, &p.Comment, &p.ReuseWindow)
	roles, errRoles := s.checkRoles(ctx, p.Tenant, p.Roles)
	if err := errors.Join(errName, errText, errRoles); err != nil {
		return Principal{}, err
	}
	p.ID, p.Roles, p.Enabled, p.Created = id.New(prefixes[p.Kind]), roles, true, s.now()
	e, err := s.event(ctx, by, "principal.create", p.Tenant, p.ID, map[string]string{"kind": string(p.Kind)})
	if err != nil {
		return Principal{}, err
	}
	p, err = s.Store.CreatePrincipal(ctx, p, e)
	return p, wrap("create principal", err)
}

// Update changes what people see, and the reuse window.
func (s *Service) Update(ctx context.Context, by audit.By, p Principal, u Update) error {
	if err := s.texts(u.DisplayName, u.Comment, u.ReuseWindow); err != nil {
		return err
	}
	e, err := s.event(ctx, by, "principal.update", p.Tenant, p.ID, nil)
	if err != nil {
		return err
	}
	return wrap("update principal", s.Store.UpdatePrincipal(ctx, p.ID, u, e))
}

// texts checks and normalises in place what is given.
func (s *Service) texts(display, comment *string, window *time.Duration) error {
	var errs []error
	line := func(name string, text *string, limit int) {
		if text != nil {
			var err error
			*text, err = field.Line(name, *text, limit)
			errs = append(errs, err)
		}
	}
	line("display_name", display, MaxDisplayName)
	line("comment", comment, MaxComment)
	if window != nil && (*window < 0 || *window > MaxReuseWindow) {
		errs = append(errs, field.Errorf("reuse_window", "is not between 0 and %s", MaxReuseWindow))
	}
	return errors.Join(errs...)
}

// Enable lets a disabled principal come in again.
func (s *Service) Enable(ctx context.Context, by audit.By, p Principal) error {
	e, err := s.event(ctx, by, "principal.enable", p.Tenant, p.ID, nil)
	if err != nil {
		return err
	}
	return wrap("enable principal", s.Store.EnablePrincipal(ctx, p.ID, e))
}

// Disable ends whatever rests on the principal.
func (s *Service) Disable(ctx context.Context, by audit.By, p Principal) (change int64, err error) {
	return s.end(ctx, by, p, "principal.disable", s.Store.DisablePrincipal)
}

// Delete removes the principal with its credentials and ends what rests on it.
func (s *Service) Delete(ctx context.Context, by audit.By, p Principal) (change int64, err error) {
	return s.end(ctx, by, p, "principal.delete", s.Store.DeletePrincipal)
}

// EndTokens ends every token issued to the principal so far.
func (s *Service) EndTokens(ctx context.Context, by audit.By, p Principal) (change int64, err error) {
	return s.end(ctx, by, p, "principal.end_tokens", func(ctx context.Context, id string, e audit.Event) (int64, error) {
		return s.Store.EndTokensBefore(ctx, id, s.now(), e)
	})
}

func (s *Service) end(
	ctx context.Context, by audit.By, p Principal, action string,
	do func(ctx context.Context, id string, e audit.Event) (int64, error),
) (int64, error) {
	e, err := s.event(ctx, by, action, p.Tenant, p.ID, nil)
	if err != nil {
		return 0, err
	}
	change, err := do(ctx, p.ID, e)
	return change, wrap(action, err)
}

// GrantRole gives a role that the tenant's rules know, possibly for a place
// only ("ayyeka/operator@Organization:12").
func (s *Service) GrantRole(ctx context.Context, by audit.By, p Principal, role string) (change int64, err error) {
	if _, err := s.checkRoles(ctx, p.Tenant, []string{role}); err != nil {
		return 0, err
	}
	if len(p.Roles) >= maxRoles && !slices.Contains(p.Roles, role) {
		return 0, field.Errorf("role", "would be one more than the %d that a principal can hold", maxRoles)
	}
	e, err := s.event(ctx, by, "role.grant", p.Tenant, p.ID, map[string]string{"role": role})
	if err != nil {
		return 0, err
	}
	change, err = s.Store.GrantRole(ctx, p.ID, role, e)
	return change, wrap("grant role", err)
}

// RemoveRole takes a role away, known or not.
func (s *Service) RemoveRole(ctx context.Context, by audit.By, p Principal, role string) (change int64, err error) {
	e, err := s.event(ctx, by, "role.remove", p.Tenant, p.ID, map[string]string{"role": role})
	if err != nil {
		return 0, err
	}
	change, err = s.Store.RemoveRole(ctx, p.ID, role, e)
	return change, wrap("remove role", err)
}

// checkRoles refuses roles that nobody knows: giving one would silently give
// nothing.
func (s *Service) checkRoles(ctx context.Context, tenant string, roles []string) ([]string, error) {
	if len(roles) > maxRoles {
		return nil, field.Errorf("roles", "are more than the %d that a principal can hold", maxRoles)
	}
	for _, r := range roles {
		known, err := s.Roles.KnownRole(ctx, tenant, r)
		switch {
		case err != nil && errors.As(err, new(*field.Error)):
			return nil, err
		case err != nil:
			return nil, fmt.Errorf("look up role: %w", err)
		case !known:
			return nil, field.Errorf("role", "%q is unknown in this tenant: gatehouse policy show lists its roles, gatehouse policy role set makes one", r)
		}
	}
	roles = slices.Clone(roles)
	slices.Sort(roles)
	return slices.Compact(roles), nil
}

func (s *Service) event(
	ctx context.Context, by audit.By, action, tenant, target string, detail map[string]string,
) (audit.Event, error) {
	e, err := s.Scribe.Event(ctx, by, audit.Event{Action: action, Tenant: tenant, Target: target, Detail: detail})
	return e, wrap("prepare audit event", err)
}

func (s *Service) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func wrap(doing string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}
