package authn

import (
	"context"
	"errors"
	"net/netip"

	"gatehouse.dev/internal/credential"
)

// locate fills in the country of an attempt, unless a trusted proxy has said it.
func (s *Service) locate(a *Attempt) {
	if a.Country == "" {
		a.Country = s.country(a.Remote)
	}
}

// country is where an address is, by the operator's database; "" where nobody
// knows.
func (s *Service) country(a netip.Addr) string {
	if s.Countries == nil || !a.IsValid() {
		return ""
	}
	return s.Countries.Country(a.Unmap().WithZone(""))
}

// takeUse counts a login with a scoped token. It comes last: whatever else is
// refused must not use one up.
func (s *Service) takeUse(ctx context.Context, b *believed) *Refusal {
	if !b.metered {
		return nil
	}
	err := s.Store.TakeUse(ctx, b.identity.Credential)
	switch {
	case errors.Is(err, credential.ErrUsedUp):
		return about(invalid("used up"), b.identity.Credential, b.identity.Principal)
	case err != nil:
		return unavailable("uses cannot be counted", err)
	}
	return nil
}
