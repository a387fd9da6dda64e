package ayyeka

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/inbound"
	"gatehouse.dev/internal/logging"
	"gatehouse.dev/internal/token"
)

// bodyPatience is how long the few bytes of a token request may take.
const bodyPatience = 10 * time.Second

// token answers /auth/token.
func (s *service) token(w http.ResponseWriter, r *http.Request, facts *inbound.Facts) error {
	if r.Method != http.MethodPost {
		return notPost
	}
	body, err := readBody(w, r)
	if err != nil {
		return err
	}
	request, err := readTokenRequest(r.Header, body)
	if err != nil {
		return err
	}
	id, err := s.Door.Login(r.Context(), attempt(request, facts))
	if err != nil {
		return err
	}
	logging.From(r.Context()).Caller(id.Principal, id.Credential, string(id.Method))
	issued, err := s.Issuer.Issue(r.Context(), s.request(id))
	if err != nil {
		return s.notIssued(r.Context(), id, err)
	}
	writeJSON(w, http.StatusOK, writeTokenAnswer(issued.Token, int64(issued.Remains/time.Second)))
	return nil
}

// readBody takes the whole body, which is small and comes at once.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	// Where the connection has no deadlines, the listener's own limits hold.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyPatience))
	// The listener's guard would move that deadline with every byte.
	whole := io.NopCloser(inbound.Unguarded(r.Body))
	body, err := io.ReadAll(http.MaxBytesReader(w, whole, formLimit))
	if err == nil {
		_ = control.SetReadDeadline(time.Time{}) // or it would end the wait for the answer
		return body, nil
	}
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, tooLarge
	}
	return nil, badRequest("the body could not be read")
}

// attempt is what was presented, before it is believed.
func attempt(request tokenRequest, facts *inbound.Facts) authn.Attempt {
	first := request.readings[0]
	a := authn.Attempt{
		Tenant:    facts.Tenant,
		Dialect:   Name,
		Method:    identity.KeyPair,
		Name:      first.key,
		Secret:    first.secret,
		Rationed:  true,
		Remote:    facts.Remote,
		RequestID: facts.RequestID,
	}
	for _, p := range request.readings[1:] {
		a.Alternatives = append(a.Alternatives, authn.Pair{Name: p.key, Secret: p.secret})
	}
	return a
}

// request asks for a token that rests on what was just shown. This protocol has
// no scopes, audiences or proof keys to ask for.
func (s *service) request(id *identity.Identity) token.Request {
	return token.Request{
		Ask:     token.Ask{Tenant: id.Tenant, Client: id.Principal, Secret: id.Secret},
		Profile: s.profile,
		Claims: func(issued, expires time.Time) []token.Claim {
			return claimsOf(s.Config.Issuer, id.TenantNumber, subject{id.PrincipalNumber, id.SecretNumber}, issued, expires)
		},
		NotBefore: id.NotBefore,
		Window:    id.ReuseWindow,
		Grounds:   id.Grounds,
		AsOf:      id.AsOf,
	}
}

// signingPause is about what making a signing key takes.
const signingPause = 5 * time.Second

// notIssued is 503 whatever it was: the caller has shown a good secret, and the
// rest is trouble here.
func (s *service) notIssued(ctx context.Context, id *identity.Identity, err error) error {
	s.Logger.LogAttrs(ctx, slog.LevelError, "no token could be issued",
		slog.String("dialect", Name), slog.String("tenant", id.Tenant), slog.Any("error", err))
	if errors.Is(err, token.ErrNoKey) {
		return later(http.StatusServiceUnavailable, "not_available", "there is no signing key yet", signingPause)
	}
	return later(http.StatusServiceUnavailable, "not_available", "not available", signingPause)
}
