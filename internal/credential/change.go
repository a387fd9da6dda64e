package credential

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/field"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/secret"
)

// ErrRevoked is returned for changes to a credential that never comes back.
var ErrRevoked = errors.New("the credential has been revoked")

// Rotate adds a fresh secret and lets those before it live on for overlap; with
// none they end at once. A password may be given; where nothing can be chosen
// it is refused.
func (s *Service) Rotate(
	ctx context.Context, by audit.By, c Credential, overlap time.Duration, password secret.Text,
) (Issued, error) {
	if err := checkRotation(c, overlap, password); err != nil {
		return Issued{}, err
	}
	out, err := s.draw(ctx, by, c, password)
	if err != nil {
		return Issued{}, err
	}
	e, err := s.event(ctx, by, "credential.rotate", c, map[string]string{
		"secret": out.Secret.ID, "overlap": overlap.String(),
	})
	if err != nil {
		return Issued{}, err
	}
	// The list goes on showing how the key began that the credential was made
	// with; a pair keeps its public half.
	out.Credential = c
	out.Secret, out.Change, err = s.Store.AddSecret(ctx, out.Secret, s.now().Add(overlap), e)
	if err != nil {
		return Issued{}, fmt.Errorf("rotate credential: %w", err)
	}
	return out, nil
}

func checkRotation(c Credential, overlap time.Duration, password secret.Text) error {
	switch {
	case !c.Revoked.IsZero():
		return ErrRevoked
	case overlap < 0 || overlap > MaxOverlap:
		return field.Errorf("overlap", "is not between 0 and %d days", MaxOverlap/(24*time.Hour))
	case password.Empty():
		return nil
	case c.Kind != Password:
		return field.Errorf("password", "can be chosen for kind password only; all other secrets are made here")
	}
	return checkPassword(password, c.Lookup)
}

// SetComment changes what people wrote about the credential.
func (s *Service) SetComment(ctx context.Context, by audit.By, c Credential, comment string) error {
	comment, err := field.Line("comment", comment, principal.MaxComment)
	if err != nil {
		return err
	}
	e, err := s.event(ctx, by, "credential.comment", c, nil)
	if err != nil {
		return err
	}
	return wrap("set comment", s.Store.SetComment(ctx, c.ID, comment, e))
}

// SetConstraints replaces all constraints.
func (s *Service) SetConstraints(ctx context.Context, by audit.By, c Credential, to Constraints) (change int64, err error) {
	to, err = CheckConstraints(to, s.now())
	if err != nil {
		return 0, err
	}
	e, err := s.event(ctx, by, "credential.constrain", c, nil)
	if err != nil {
		return 0, err
	}
	change, err = s.Store.SetConstraints(ctx, c.ID, to, e)
	return change, wrap("set constraints", err)
}

// Enable lets a disabled credential be used again; a revoked one stays so.
func (s *Service) Enable(ctx context.Context, by audit.By, c Credential) error {
	if !c.Revoked.IsZero() {
		return ErrRevoked
	}
	e, err := s.event(ctx, by, "credential.enable", c, nil)
	if err != nil {
		return err
	}
	return wrap("enable credential", s.Store.EnableCredential(ctx, c.ID, e))
}

// Disable ends what rests on the credential until it is enabled again.
func (s *Service) Disable(ctx context.Context, by audit.By, c Credential) (change int64, err error) {
	return s.end(ctx, by, c, "credential.disable", s.Store.DisableCredential)
}

// Revoke ends the credential for good, and what rests on it.
func (s *Service) Revoke(ctx context.Context, by audit.By, c Credential) (change int64, err error) {
	return s.end(ctx, by, c, "credential.revoke", s.Store.RevokeCredential)
}

// RevokeSecret ends one secret of the credential, and what rests on it.
func (s *Service) RevokeSecret(ctx context.Context, by audit.By, c Credential, secretID string) (change int64, err error) {
	e, err := s.event(ctx, by, "secret.revoke", c, map[string]string{"secret": secretID})
	if err != nil {
		return 0, err
	}
	change, err = s.Store.RevokeSecret(ctx, secretID, e)
	return change, wrap("revoke secret", err)
}

func (s *Service) end(
	ctx context.Context, by audit.By, c Credential, action string,
	do func(ctx context.Context, id string, e audit.Event) (int64, error),
) (int64, error) {
	e, err := s.event(ctx, by, action, c, nil)
	if err != nil {
		return 0, err
	}
	change, err := do(ctx, c.ID, e)
	return change, wrap(action, err)
}

func wrap(doing string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}
