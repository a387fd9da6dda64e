package credential

import (
	"context"
	"fmt"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/field"
	"gatehouse.dev/internal/id"
	"gatehouse.dev/internal/secret"
)

// Replace makes a fresh key or pair for the owner of c, with the comment and the
// constraints of c, and lets c end after overlap; with none it is revoked at
// once. Unlike [Service.Rotate] it leaves nothing of the old one in use, the
// public half neither.
func (s *Service) Replace(ctx context.Context, by audit.By, c Credential, overlap time.Duration) (Issued, error) {
	if err := s.checkReplacement(c, overlap); err != nil {
		return Issued{}, err
	}
	now := s.now()
	out, err := s.draw(ctx, by, Credential{
		ID: id.New("cre"), Tenant: c.Tenant, Principal: c.Principal, Kind: c.Kind, Dialect: c.Dialect, CreatedBy: by.Actor,
	}, secret.Text{})
	if err != nil {
		return Issued{}, err
	}
	e, err := s.event(ctx, by, "credential.replace", c, map[string]string{
		"next": out.Credential.ID, "overlap": overlap.String(),
	})
	if err != nil {
		return Issued{}, err
	}
	var ends time.Time
	if overlap > 0 {
		ends = now.Add(overlap)
	}
	out.Credential, out.Secret, out.Change, err = s.Store.ReplaceCredential(ctx, c.ID, ends, out.Credential, out.Secret, e)
	if err != nil {
		return Issued{}, fmt.Errorf("replace credential: %w", err)
	}
	return out, nil
}

func (s *Service) checkReplacement(c Credential, overlap time.Duration) error {
	switch {
	case !c.Revoked.IsZero():
		return ErrRevoked
	case c.Kind != KeyPair && c.Kind != APIKey:
		return field.Errorf("kind", "%s cannot be replaced, only keys and pairs can; rotate gives it a fresh secret", c.Kind)
	case !c.Expires.IsZero() && !s.now().Before(c.Expires):
		return field.Errorf("expires", "is over, and would be for the fresh one")
	case overlap < 0 || overlap > MaxOverlap:
		return field.Errorf("overlap", "is not between 0 and %d days", MaxOverlap/(24*time.Hour))
	}
	return nil
}
