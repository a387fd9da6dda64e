package foreign

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/fair"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/tenant"
	"gatehouse.dev/internal/token"
)

// remember bounds how long a verification may be believed without asking again.
const remember = time.Minute

// Store is what foreign tokens need from persistence.
type Store interface {
	PrincipalByName(ctx context.Context, tenant string, k principal.Kind, name string) (principal.Principal, error)
	TokenRevoked(ctx context.Context, hash string) (bool, error)
	RevokeToken(ctx context.Context, t token.RevokedToken, e audit.Event) (change int64, err error)
}

// JWTs believes our own signed tokens; *token.Verifier does.
type JWTs interface {
	VerifyJWT(ctx context.Context, t tenant.Tenant, p *token.Profile, tok secret.Text, remote netip.Addr) (token.Verified, error)
}

// Opaques makes and believes our own opaque ones; *token.OpaqueTokens does.
type Opaques interface {
	VerifyOpaque(ctx context.Context, t tenant.Tenant, tok secret.Text, remote netip.Addr) (token.Verified, error)
	Issue(ctx context.Context, o token.Opaque, lifetime time.Duration, e ...audit.Event) (secret.Text, token.Opaque, error)
}

// Live knows whether anything that is open rests on a ground; *live.Index does.
type Live interface {
	Rests(g revocation.Ground) bool
}

// Options are what a Service is made of. Fields without a default are needed.
type Options struct {
	Issuers []Config
	Store   Store
	JWTs    JWTs
	Opaques Opaques
	Live    Live
	Scribe  audit.Scribe
	Logger  *slog.Logger     // discards
	Now     func() time.Time // time.Now
}

// Service believes tokens: foreign ones by itself, our own through those that
// know them.
type Service struct {
	Options
	issuers map[string][]*issuer // by tenant id
	watched watched
}

// New makes a Service. Run must run beside it.
func New(o Options) (*Service, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Service{Options: o, issuers: map[string][]*issuer{}}
	s.watched.all = map[string]*watch{}
	client := newClient()
	for _, c := range o.Issuers {
		i, err := newIssuer(c, client, o.Logger, o.Now)
		if err != nil {
			return nil, err
		}
		for _, other := range s.issuers[c.Tenant] {
			if other.Issuer == c.Issuer {
				return nil, fmt.Errorf("issuer %s is named twice", c.Issuer)
			}
		}
		s.issuers[c.Tenant] = append(s.issuers[c.Tenant], i)
	}
	return s, nil
}

// VerifyJWT implements authn.JWTs. Whose token it is, is found by its iss; where
// a profile is asked for it is ours or none.
func (s *Service) VerifyJWT(ctx context.Context, t tenant.Tenant, p *token.Profile, tok secret.Text, remote netip.Addr) (token.Verified, error) {
	issuers := s.issuers[t.ID]
	if p != nil || len(issuers) == 0 {
		return s.JWTs.VerifyJWT(ctx, t, p, tok, remote)
	}
	parsed, err := token.Parse(tok)
	if err != nil {
		return token.Verified{}, err
	}
	iss, err := parsed.Claims.Text("iss")
	for _, i := range issuers {
		if err == nil && i.Issuer == iss {
			return s.believe(ctx, t, i, tok, parsed, remote)
		}
	}
	return s.JWTs.VerifyJWT(ctx, t, p, tok, remote)
}

// VerifyOpaque implements authn.Opaques. A token that is not ours by its shape
// is asked about at each of the tenant's issuers that can be asked, in order.
func (s *Service) VerifyOpaque(ctx context.Context, t tenant.Tenant, tok secret.Text, remote netip.Addr) (token.Verified, error) {
	if !strings.HasPrefix(tok.Reveal(), token.OpaquePrefix) && visible(tok) {
		var undecided error
		for _, i := range s.issuers[t.ID] {
			if i.answers == nil {
				continue
			}
			v, err := s.believe(ctx, t, i, tok, nil, remote)
			if err == nil {
				return v, nil
			}
			if !errors.Is(err, token.ErrInvalid) {
				undecided = err
			}
		}
		if undecided != nil {
			return token.Verified{}, undecided
		}
	}
	return s.Opaques.VerifyOpaque(ctx, t, tok, remote)
}

// Issue makes a token of our own.
func (s *Service) Issue(ctx context.Context, o token.Opaque, lifetime time.Duration, e ...audit.Event) (secret.Text, token.Opaque, error) {
	return s.Opaques.Issue(ctx, o, lifetime, e...)
}

// visible reports whether a token has the characters of one (RFC 6750 section
// 2.1), and not too many; nobody is asked about anything else.
func visible(tok secret.Text) bool {
	text := tok.Reveal()
	if text == "" || len(text) > 4096 {
		return false
	}
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// believe verifies a token of an issuer and finds out whom it stands for.
func (s *Service) believe(ctx context.Context, t tenant.Tenant, i *issuer, tok secret.Text, parsed *token.Parsed, remote netip.Addr) (token.Verified, error) {
	hash := hashOf(i.Issuer, tok)
	about, err := i.verify(ctx, tok, parsed, fair.Source(remote))
	if err != nil {
		return token.Verified{}, err
	}
	revoked, err := s.Store.TokenRevoked(ctx, hash)
	if err != nil {
		return token.Verified{}, fmt.Errorf("look for revocation of token: %w", err)
	}
	if revoked {
		return token.Verified{}, token.ErrRevoked
	}
	name, err := i.name.nameFor(i.kind, about.claims)
	if err != nil {
		return token.Verified{}, err
	}
	key, err := token.Confirmation(about.claims)
	if err != nil {
		return token.Verified{}, err
	}
	p, err := s.Store.PrincipalByName(ctx, t.ID, i.kind, name)
	switch {
	case errors.Is(err, principal.ErrNotFound):
		return token.Verified{}, fmt.Errorf("%w: its principal does not exist here", token.ErrClaims)
	case err != nil:
		return token.Verified{}, fmt.Errorf("look up the principal of a token: %w", err)
	}
	v := token.Verified{
		Hash: hash, Until: s.Now().Add(remember),
		Subject: token.Subject{
			Tenant: t.ID, TenantNumber: t.Number, Principal: p.ID, Scopes: about.scopes,
			Issued: about.issued, Expires: about.expires, ProofKey: key,
		},
	}
	if i.Unscoped {
		v.Scopes = nil
	}
	s.watched.add(&watch{issuer: i, tenant: t.ID, principal: p.ID, hash: hash, tok: tok, expires: about.expires, seen: s.Now()})
	return v, nil
}
