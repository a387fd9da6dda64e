package acqueon

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/inbound"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/secret"
)

// admit finds out who asks for a socket and whether they may have one, in the
// order of the protocol description, 3.4.
func (c *conn) admit(r *http.Request, path string) error {
	s := c.service
	if c.facts.Scheme != "https" && !s.Config.PlainText {
		return plainText
	}
	if !s.originAllowed(r.Header) {
		return badOrigin
	}
	shown, err := ParseHandshake(r, path, Reading{Prefixes: s.Config.Prefixes, RawToken: s.Config.RawToken})
	if err != nil {
		return err
	}
	c.name, c.user, c.stamped = shown.Name, shown.User, shown.Stamped()
	id, err := s.Door.Login(r.Context(), attempt(shown, c.facts))
	if err != nil {
		return err
	}
	c.identity.Store(id)
	if s.Config.MatchUser && tokenShown(id) && !strings.EqualFold(shown.User, id.Name) {
		return failed
	}
	return s.allowed(r.Context(), id, c.facts)
}

// originAllowed keeps pages of other origins out, when there is a list: a
// browser sends what it remembers of a user's credential along with them.
func (s *service) originAllowed(h http.Header) bool {
	origins := h.Values("Origin")
	if len(origins) == 0 || len(s.Config.Origins) == 0 {
		return true
	}
	return len(origins) == 1 && slices.Contains(s.Config.Origins, origins[0])
}

// attempt is what was presented. The name says what a dashboard calls itself;
// who it is comes from the credential alone, which may be bound to such users.
func attempt(h Handshake, facts *inbound.Facts) authn.Attempt {
	a := authn.Attempt{Tenant: facts.Tenant, Dialect: Name, Remote: facts.Remote, RequestID: facts.RequestID, User: h.User, Recent: true, Rationed: true}
	switch {
	case h.Key != "":
		a.Method, a.Name, a.Secret = identity.KeyPair, h.Key, h.Secret
	default:
		a.Method, a.Secret = tokenMethod(h.Token), h.Token
	}
	return a
}

// tokenMethod tells a JWT, which has two dots, from an opaque token.
func tokenMethod(token secret.Text) identity.Method {
	if strings.Count(token.Reveal(), ".") == 2 {
		return identity.JWT
	}
	return identity.Opaque
}

// tokenShown reports whether it came in by an access token.
func tokenShown(id *identity.Identity) bool {
	return id.Method == identity.JWT || id.Method == identity.Opaque
}

// scoped makes the configured scope stand for watching, as the documented one
// does in the rules of the program.
func (s *service) scoped(id *identity.Identity) *identity.Identity {
	if id.Scopes == nil || s.Config.Scope == scopeMetrics || !tokenShown(id) {
		return id
	}
	seen := *id
	seen.Notes = new(identity.Notes)
	seen.Scopes = append(slices.Clone(id.Scopes), actionWatch)
	return &seen
}

// allowed asks whether the identity may watch this tenant's metrics.
func (s *service) allowed(ctx context.Context, id *identity.Identity, facts *inbound.Facts) error {
	if s.Config.Scope != "" && tokenShown(id) && !slices.Contains(id.Scopes, s.Config.Scope) {
		return forbidden
	}
	return s.Door.Allow(ctx, policy.Request{
		Identity: s.scoped(id),
		Action:   actionWatch,
		Resource: policy.Resource{Type: "Feed", ID: s.Config.Feed},
		Source:   facts.Remote,
	})
}
