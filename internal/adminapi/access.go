package adminapi

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/id"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/inbound"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/tenant"
)

// Dialect is what the API calls itself to authn.
const Dialect = "adminapi"

// Door is the one way in; *authn.Service is one.
type Door interface {
	Check(ctx context.Context, a authn.Attempt) (*identity.Identity, error)
	Allow(ctx context.Context, r policy.Request) error
}

// authenticate runs before an operation reads anything else of the request.
func (a *api) authenticate(ctx huma.Context, next func(huma.Context)) {
	r, _ := humago.Unwrap(ctx)
	c, err := a.who(r)
	if err != nil {
		a.refuse(ctx, a.problem(r.Context(), refusal(err)))
		return
	}
	next(huma.WithValue(ctx, callerKey{}, c))
}

// refuse writes an error where no operation does it.
func (a *api) refuse(ctx huma.Context, err error) {
	status, detail := http.StatusInternalServerError, err.Error()
	var known huma.StatusError
	if errors.As(err, &known) {
		status = known.GetStatus()
	}
	var headers huma.HeadersError
	if errors.As(err, &headers) {
		for name, values := range headers.GetHeaders() {
			ctx.SetHeader(name, values[0])
		}
	}
	if err := huma.WriteErr(a.huma, ctx, status, detail); err != nil {
		a.Log.DebugContext(ctx.Context(), "admin answer could not be written", "error", err)
	}
}

// who settles who is calling.
func (a *api) who(r *http.Request) (*caller, error) {
	facts := inbound.From(r.Context())
	if facts == nil {
		facts = &inbound.Facts{}
	}
	by := audit.By{Source: facts.Remote, Request: facts.RequestID, Dialect: Dialect}
	if by.Request == "" {
		by.Request = id.Request()
	}
	if fromSocket(r.Context()) {
		by.Actor, by.Method = "local", string(identity.Local)
		return &caller{by: by}, nil
	}
	key, ok := bearer(r)
	if !ok {
		return nil, &authn.Refusal{Kind: authn.Missing, Reason: "no bearer key"}
	}
	home, err := a.home(r.Context(), key, r.URL.Query().Get("tenant"))
	if err != nil {
		return nil, err
	}
	who, err := a.Door.Check(r.Context(), authn.Attempt{
		Tenant: home, Dialect: Dialect, Method: identity.APIKey, Secret: key,
		Remote: facts.Remote, RequestID: by.Request,
	})
	if err != nil {
		return nil, err
	}
	by.Actor, by.Method = who.Principal, string(who.Method)
	return &caller{identity: who, by: by}, nil
}

// bearer reads the key (RFC 6750 section 2.1). Two headers are none: whoever
// reads the other one would see somebody else.
func bearer(r *http.Request) (secret.Text, bool) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return secret.Text{}, false
	}
	scheme, key, ok := strings.Cut(values[0], " ")
	key = strings.TrimLeft(key, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || key == "" {
		return secret.Text{}, false
	}
	return secret.New(key), true
}

// home finds the tenant that a key belongs to: the default one, or the one that
// the call names. Where the key belongs is remembered, and never that it is
// good: authn decides that each time.
func (a *api) home(ctx context.Context, key secret.Text, named string) (tenant.Tenant, error) {
	def, err := a.Tenants.Store.TenantByName(ctx, tenant.Default)
	if err != nil || named == "" {
		return def, err
	}
	other, err := a.tenantNamed(ctx, named)
	if errors.Is(err, tenant.ErrNotFound) {
		return def, nil // who may know that it does not exist is told later
	}
	if err != nil || other.ID == def.ID {
		return def, err
	}
	there, err := a.homes.holds(ctx, other.ID, key)
	if err != nil || !there {
		return def, err
	}
	return other, nil
}

// refusal puts what authn says into HTTP. All ways of not being believed look
// the same.
func refusal(err error) error {
	var r *authn.Refusal
	if !errors.As(err, &r) {
		return err
	}
	switch r.Kind {
	case authn.Denied:
		return huma.Error403Forbidden("your roles do not allow this")
	case authn.Throttled:
		return retryLater(huma.Error429TooManyRequests("too many attempts"), r.RetryAfter)
	case authn.Unavailable:
		return retryLater(huma.Error503ServiceUnavailable("not now; try again shortly"), max(r.RetryAfter, time.Second))
	}
	return huma.ErrorWithHeaders(huma.Error401Unauthorized("show the API key of an administrator as bearer token"),
		http.Header{"Www-Authenticate": {`Bearer realm="gatehouse admin"`}})
}
