package ayyeka

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/dialect"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/inbound"
	"gatehouse.dev/internal/logging"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/token"
)

// Name is what the dialect is called wherever dialects are told apart.
const Name = "ayyeka"

const (
	tokenPath = "/auth/token"
	apiPrefix = "/v2.0/"
)

// Defaults of Config.
const (
	DefaultIssuer   = "Cloud"
	DefaultLifetime = time.Hour
)

// Config is what an operator may set. The zero value is what the vendor
// documents.
type Config struct {
	// Issuer is iss; empty means "Cloud". An installation of one's own may use
	// another fixed text.
	Issuer string
	// Lifetime of tokens; 0 means an hour. Whole seconds.
	Lifetime time.Duration
	// KeyID adds a kid to the header of tokens. Tokens of the other kind are
	// refused from then on, so clients ask for new ones once.
	KeyID bool
	// BareToken accepts a token without a scheme word, as one of the vendor's
	// samples sends it.
	BareToken bool
	// JWTScheme accepts the scheme word "JWT", as libraries send it that copy
	// token_type into the header.
	JWTScheme bool
}

func (c Config) withDefaults() Config {
	if c.Issuer == "" {
		c.Issuer = DefaultIssuer
	}
	if c.Lifetime == 0 {
		c.Lifetime = DefaultLifetime
	}
	return c
}

// Server is the dialect with what it needs. All fields but Config are required.
type Server struct {
	Config   Config
	Door     Door
	Issuer   Issuer
	Upstream dialect.Upstream
	Logger   *slog.Logger
}

// Door is the one way in; package authn has it.
type Door interface {
	Login(ctx context.Context, a authn.Attempt) (*identity.Identity, error)
	Check(ctx context.Context, a authn.Attempt) (*identity.Identity, error)
	Renew(ctx context.Context, id *identity.Identity, remote netip.Addr) (*identity.Identity, error)
	Allow(ctx context.Context, r policy.Request) error
}

// Issuer makes tokens, or gives the same again to clients that have a window;
// package token has it.
type Issuer interface {
	Issue(ctx context.Context, r token.Request) (token.Issued, error)
}

// service is a Server that is ready.
type service struct {
	Server
	profile *token.Profile
	bearer  bearerSyntax
}

// New checks the configuration and makes the dialect.
func New(s Server) (dialect.Dialect, error) {
	c := s.Config.withDefaults()
	s.Config = c
	if c.Lifetime < time.Second || c.Lifetime > 24*time.Hour || c.Lifetime%time.Second != 0 {
		return dialect.Dialect{}, errors.New("ayyeka: lifetime must be whole seconds, at most a day")
	}
	sv := &service{
		Server:  s,
		profile: Profile(c),
		bearer:  bearerSyntax{bare: c.BareToken, jwtScheme: c.JWTScheme},
	}
	return dialect.Dialect{
		Name:    Name,
		Handler: sv,
		Routes: []dialect.Route{
			{Path: tokenPath, Summary: "a token for key and secret (POST)",
				WaysIn: []dialect.WayIn{dialect.BasicHeader, dialect.BasicName, dialect.FormSecret}},
			{Path: apiPrefix + "health", Summary: "health of the backend, without a token (GET)"},
			{Path: apiPrefix, Summary: "the backend, with a token", WaysIn: []dialect.WayIn{dialect.BearerHeader}},
		},
	}, nil
}

// ServeHTTP implements http.Handler. It matches by hand rather than with a
// ServeMux, which would answer odd paths with redirects: a path is taken as the
// listener hands it over, or not at all.
func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	facts := inbound.From(r.Context())
	if facts == nil { // a mistake in the wiring; without a tenant nothing can be decided
		s.Logger.ErrorContext(r.Context(), "ayyeka: request without inbound facts")
		internalError.writeAPI(w, "")
		return
	}
	event := logging.From(r.Context())
	event.Dialect(Name)
	if r.URL.Path == tokenPath {
		event.Route(tokenPath)
		if err := s.token(w, r, facts); err != nil {
			s.refusal(r.Context(), err, wrongCredentials).writeToken(w, facts.RequestID)
		}
		return
	}
	event.Route(apiPrefix)
	if err := s.call(w, r, facts); err != nil {
		s.refusal(r.Context(), err, badToken).writeAPI(w, facts.RequestID)
	}
}

// refusal is what to answer to err. Why it really was is for the log, and only
// what nobody foresaw gets a line of its own there.
func (s *service) refusal(ctx context.Context, err error, unbelieved *refusal) *refusal {
	answer := refusalOf(err, unbelieved)
	if answer == internalError {
		s.Logger.LogAttrs(ctx, slog.LevelError, "request failed", slog.String("dialect", Name), slog.Any("error", err))
	}
	reason := answer.text
	var verdict *authn.Refusal
	if errors.As(err, &verdict) {
		reason = verdict.Reason
	}
	logging.From(ctx).Refused(reason)
	return answer
}
