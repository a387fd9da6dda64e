package foreign

import (
	"errors"
	"fmt"
	"strings"

	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/token"
)

// template is a name with at most one claim in it.
type template struct{ before, claim, after string }

var kinds = map[string]principal.Kind{
	"user": principal.User, "client": principal.Client, "application": principal.Application,
	"device": principal.Device, "bearer": principal.Bearer,
}

// parsePrincipal reads who the tokens of an issuer stand for: "client/partner",
// "user/{sub}".
func parsePrincipal(text string) (principal.Kind, template, error) {
	kindName, name, ok := strings.Cut(text, "/")
	kind, known := kinds[kindName]
	if !ok || !known || name == "" {
		return kind, template{}, errors.New("the principal is not kind and name, like client/partner or user/{email}")
	}
	before, rest, has := strings.Cut(name, "{")
	if !has {
		return kind, template{before: name}, nil
	}
	claim, after, closed := strings.Cut(rest, "}")
	if !closed || claim == "" || strings.ContainsAny(after, "{}") {
		return kind, template{}, errors.New("the principal has something else in braces than one claim")
	}
	return kind, template{before, claim, after}, nil
}

// nameFor fills in the claim. A claim that is not in the normal form of names is
// refused, not changed: where an issuer tells Ada from ada and we do not, one
// could become the other.
func (t template) nameFor(kind principal.Kind, c token.Claims) (string, error) {
	if t.claim == "" {
		return principal.NormaliseName(kind, t.before)
	}
	value, err := c.Text(t.claim)
	if err != nil || value == "" {
		return "", fmt.Errorf("%w: no text in %s to name a principal", token.ErrClaims, t.claim)
	}
	name := t.before + value + t.after
	normal, err := principal.NormaliseName(kind, name)
	if err != nil || normal != name {
		return "", fmt.Errorf("%w: %s names no principal", token.ErrClaims, t.claim)
	}
	return normal, nil
}
