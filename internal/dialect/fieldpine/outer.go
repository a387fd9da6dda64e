package fieldpine

import (
	"context"
	"net/http"
	"strings"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/inbound"
	"gatehouse.dev/internal/live"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/socket"
)

// Outer is a scheme of the Authorization header that a server may demand before
// it lets anybody open a socket. It is an outer gate and never the FD1 login
// (protocol description, 7.3): whoever passes has no right yet. But the socket
// rests on it too, and ends with it.
type Outer string

// The schemes.
const (
	OuterNone   Outer = ""
	OuterBasic  Outer = "basic"  // user and password, or a key pair
	OuterBearer Outer = "bearer" // an API key or an access token
)

// challenges are what goes with 401 (RFC 9110, section 11.6.1).
var challenges = map[Outer]string{
	OuterBasic:  `Basic realm="fd1", charset="UTF-8"`,
	OuterBearer: `Bearer realm="fd1"`,
}

// passOuter reports who has passed the outer gate, nil where there is none. When
// ok is false the caller has been answered.
func (s *service) passOuter(w http.ResponseWriter, r *http.Request, facts *inbound.Facts) (_ *identity.Identity, ok bool) {
	if s.Config.Outer == OuterNone {
		return nil, true
	}
	a, found := s.outerAttempt(r)
	if !found {
		w.Header().Set("WWW-Authenticate", challenges[s.Config.Outer])
		refuse(w, packet{}, http.StatusUnauthorized, "an Authorization header is needed")
		return nil, false
	}
	a.Tenant, a.Dialect, a.Remote, a.RequestID = facts.Tenant, Name, facts.Remote, facts.RequestID
	id, err := s.Door.Login(r.Context(), a)
	if err != nil {
		code, message, wait := verdict(err)
		if code == http.StatusUnauthorized {
			message = "the Authorization header is not accepted"
			w.Header().Set("WWW-Authenticate", challenges[s.Config.Outer])
		}
		retryAfter(w.Header(), wait)
		refuse(w, packet{}, code, message)
		return nil, false
	}
	return id, true
}

func (s *service) outerAttempt(r *http.Request) (a authn.Attempt, ok bool) {
	lines := r.Header.Values("Authorization")
	if len(lines) != 1 {
		return a, false
	}
	if s.Config.Outer == OuterBasic {
		name, password, ok := r.BasicAuth()
		if !ok || name == "" {
			return a, false
		}
		a.Method, a.Name, a.Secret = identity.KeyPair, name, secret.New(password)
		if !secret.IsUpperHex(16, name) {
			user, err := principal.NormaliseName(principal.User, name)
			a.Method, a.Name = identity.Password, user
			return a, err == nil
		}
		return a, true
	}
	scheme, token, _ := strings.Cut(lines[0], " ")
	token = strings.Trim(token, " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" || strings.ContainsAny(token, " \t,") {
		return a, false
	}
	a.Method, a.Secret = identity.Opaque, secret.New(token)
	switch {
	case strings.HasPrefix(token, credential.KeyPrefix):
		a.Method = identity.APIKey
	case strings.Count(token, ".") == 2:
		a.Method = identity.JWT
	}
	return a, true
}

// holdOuter ends the socket with what opened its outer gate.
func (c *conn) holdOuter(id *identity.Identity) bool {
	if id == nil {
		return true
	}
	h, err := c.Door.Hold(c.socket.Context(), id, live.Conn{
		Kind: live.WebSocket, Dialect: Name, Route: "authorization", Remote: c.facts.Remote,
		End: func(cause live.Cause) { c.socket.Close(closing(cause)) },
		Recheck: func(ctx context.Context) (*identity.Identity, error) {
			return c.Door.Renew(ctx, id, c.facts.Remote)
		},
	})
	if err != nil {
		c.socket.Close(socket.CodePolicy, "")
		return false
	}
	c.mu.Lock()
	c.outer = h
	c.mu.Unlock()
	return true
}
