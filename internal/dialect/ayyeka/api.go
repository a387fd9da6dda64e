package ayyeka

import (
	"context"
	"net/http"
	"strings"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/dialect"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/inbound"
	"gatehouse.dev/internal/logging"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/secret"
)

// call passes one request on to the backend, once it is known who calls and
// that they may.
func (s *service) call(w http.ResponseWriter, r *http.Request, facts *inbound.Facts) error {
	path := r.URL.Path
	if !strings.HasPrefix(path, apiPrefix) {
		return notFound
	}
	pass := dialect.Forward{
		Fail: func(status int, detail string) { failed(status, detail).writeAPI(w, facts.RequestID) },
	}
	if !isHealth(r.Method, path) {
		text, err := s.bearer.read(r.Header)
		if err != nil {
			return err
		}
		id, err := s.Door.Check(r.Context(), s.shown(text, facts))
		if err != nil {
			return err
		}
		logging.From(r.Context()).Caller(id.Principal, id.Credential, string(id.Method))
		ask := s.question(r, facts)
		if err := ask(r.Context(), id); err != nil {
			return err
		}
		pass.Identity = id
		// For as long as the answer is under way, without keeping the token.
		pass.Recheck = func(ctx context.Context) (*identity.Identity, error) {
			now, err := s.Door.Renew(ctx, id, facts.Remote)
			if err != nil {
				return nil, err
			}
			if err := ask(ctx, now); err != nil {
				return nil, err
			}
			return now, nil
		}
	}
	s.Upstream.Forward(w, r, pass)
	return nil
}

// isHealth reports whether nobody is asked who they are.
func isHealth(method, path string) bool {
	return path == apiPrefix+"health" && (method == http.MethodGet || method == http.MethodHead)
}

// shown is an attempt with a token.
func (s *service) shown(text secret.Text, facts *inbound.Facts) authn.Attempt {
	return authn.Attempt{
		Tenant:    facts.Tenant,
		Dialect:   Name,
		Method:    identity.JWT,
		Secret:    text,
		Profile:   s.profile,
		Remote:    facts.Remote,
		RequestID: facts.RequestID,
	}
}

// question asks policy whether somebody may do what r wants.
func (s *service) question(r *http.Request, facts *inbound.Facts) func(context.Context, *identity.Identity) error {
	method, path := r.Method, r.URL.Path
	return func(ctx context.Context, id *identity.Identity) error {
		return s.Door.Allow(ctx, policy.Request{
			Identity: id,
			Action:   action(method, path),
			Resource: resource(path, id),
			Source:   facts.Remote,
		})
	}
}
