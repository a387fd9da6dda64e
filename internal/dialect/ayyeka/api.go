package ayyeka

import (
	"context"
	"net/http"
	"strings"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/dialect"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/inbound"
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
		// The same question again, for as long as the answer is under way.
		method := r.Method
		pass.Recheck = func(ctx context.Context) (*identity.Identity, error) {
			return s.admit(ctx, s.shown(text, facts), method, path)
		}
		if pass.Identity, err = pass.Recheck(r.Context()); err != nil {
			return err
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

// admit asks who it is and whether they may.
func (s *service) admit(ctx context.Context, a authn.Attempt, method, path string) (*identity.Identity, error) {
	id, err := s.Door.Check(ctx, a)
	if err != nil {
		return nil, err
	}
	err = s.Door.Allow(ctx, policy.Request{
		Identity: id,
		Action:   action(method, path),
		Resource: resource(path, id),
		Source:   a.Remote,
	})
	if err != nil {
		return nil, err
	}
	return id, nil
}
