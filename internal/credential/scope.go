package credential

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/field"
)

// Limits of what a token can be scoped to.
const (
	maxActions     = 16
	maxResourceKey = 200
)

var (
	typeShape    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)
	actionShape  = regexp.MustCompile(`^[A-Za-z0-9_-]+(:[A-Za-z0-9_-]+)*(:\*)?$`)
	countryShape = regexp.MustCompile(`^[A-Z]{2}$`)
)

// checkScope refuses a token without a scope or an end, and a scope on anything
// else.
func checkScope(k Kind, s Scope, c Constraints) (Scope, error) {
	if k != ScopedToken {
		if s.Type != "" || s.Key != "" || len(s.Actions) > 0 || s.MaxUses != 0 {
			return s, field.Errorf("scope", "is for kind scoped_token only")
		}
		return s, nil
	}
	key, err := field.Line("scope.key", s.Key, maxResourceKey)
	switch {
	case err != nil:
		return s, err
	case !typeShape.MatchString(s.Type):
		return s, field.Errorf("scope.type", "is not the type of a resource such as Sale")
	case key == "":
		return s, field.Errorf("scope.key", "is missing")
	case len(s.Actions) == 0 || len(s.Actions) > maxActions:
		return s, field.Errorf("scope.actions", "are not between 1 and %d", maxActions)
	case s.MaxUses < 0:
		return s, field.Errorf("scope.max_uses", "is negative")
	case c.Expires.IsZero():
		return s, field.Errorf("expires", "is missing; a scoped token must end")
	}
	for _, a := range s.Actions {
		if len(a) > 200 || !actionShape.MatchString(a) {
			return s, field.Errorf("scope.actions", "has an entry that is not an action such as fd1:sales:get_sale or fd1:sales:*")
		}
	}
	s.Key = key
	s.Actions = slices.Compact(slices.Sorted(slices.Values(s.Actions)))
	return s, nil
}

// checkCountries takes two-letter codes in either case.
func checkCountries(given []string) ([]string, error) {
	if len(given) > maxCountries {
		return nil, field.Errorf("countries", "are more than %d", maxCountries)
	}
	var out []string
	for _, code := range given {
		code = strings.ToUpper(code)
		if !countryShape.MatchString(code) {
			return nil, field.Errorf("countries", "has an entry that is not a code of two letters such as NZ")
		}
		out = append(out, code)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// checkUsers takes names as they are said, each once however it is written in
// upper and lower case.
func checkUsers(given []string) ([]string, error) {
	if len(given) > maxUsers {
		return nil, field.Errorf("users", "are more than %d", maxUsers)
	}
	var out []string
	for _, u := range given {
		u, err := field.Name("users", u, maxUser)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(out, func(o string) bool { return strings.EqualFold(o, u) }) {
			out = append(out, u)
		}
	}
	slices.Sort(out)
	return out, nil
}

// RevokeScoped revokes every token for one resource, and what rests on them.
func (s *Service) RevokeScoped(ctx context.Context, by audit.By, tenant, resourceType, key string) (n int, change int64, err error) {
	if !typeShape.MatchString(resourceType) || key == "" {
		return 0, 0, field.Errorf("resource", "needs a type and a key")
	}
	e, err := s.event(ctx, by, "credential.revoke_scoped", Credential{Tenant: tenant, ID: resourceType + "/" + key}, nil)
	if err != nil {
		return 0, 0, err
	}
	n, change, err = s.Store.RevokeScoped(ctx, tenant, resourceType, key, e)
	return n, change, wrap("revoke tokens of a resource", err)
}
