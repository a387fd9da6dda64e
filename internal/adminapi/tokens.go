package adminapi

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/field"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/tenant"
	"gatehouse.dev/internal/token"
)

// JWTs believes JWTs; *token.Verifier is one.
type JWTs interface {
	VerifyJWT(ctx context.Context, t tenant.Tenant, p *token.Profile, tok secret.Text, remote netip.Addr) (token.Verified, error)
}

// Opaques makes and believes opaque tokens; *token.OpaqueTokens is one.
type Opaques interface {
	Issue(ctx context.Context, o token.Opaque, lifetime time.Duration, e ...audit.Event) (secret.Text, token.Opaque, error)
	VerifyOpaque(ctx context.Context, t tenant.Tenant, tok secret.Text, remote netip.Addr) (token.Verified, error)
}

// TokenStore is the part of token.Store that ends and lists tokens.
type TokenStore interface {
	RevokeToken(ctx context.Context, t token.RevokedToken, e audit.Event) (change int64, err error)
	RevokeOpaque(ctx context.Context, id string, at time.Time, e audit.Event) (change int64, err error)
	Opaques(ctx context.Context, tenant, principal string, limit int) ([]token.Opaque, error)
}

func (a *api) tokens() {
	const tag, what = "Tokens", "tokens"
	add(a, op{
		id: "list-tokens", method: http.MethodGet, path: "/v1/tokens", tag: tag, what: what,
		summary: "List the opaque tokens of a principal", detail: "JWTs are not kept, so nobody can list them.",
	}, a.listTokens)
	add(a, op{
		id: "issue-token", method: http.MethodPost, path: "/v1/tokens", tag: tag, what: what,
		summary: "Make an access token for a principal, and show it once",
		detail: "An opaque token: looked up when it is shown, so it can be listed and ended like a key. " +
			"It lets its bearer do what both its scopes and its owner's roles allow, and ends with whatever it rests on.",
	}, a.issueToken)
	add(a, op{
		id: "revoke-token", method: http.MethodPost, path: "/v1/tokens/revoke", tag: tag, what: what,
		summary: "End one token, and what rests on it",
		detail:  "A JWT or an opaque token. To end all of a principal, see end-tokens there.",
	}, a.revokeToken)
	add(a, op{
		id: "revoke-opaque-token", method: http.MethodPost, path: "/v1/tokens/{id}/revoke", tag: tag, what: what,
		summary: "End one opaque token by its id",
	}, a.revokeOpaque)
}

// Token is an opaque token without its text.
type Token struct {
	ID         string     `json:"id"`
	Principal  string     `json:"principal"`
	Credential string     `json:"credential,omitempty"`
	Grant      string     `json:"grant,omitempty"`
	Scopes     []string   `json:"scopes,omitempty" doc:"Absent: not narrowed"`
	Audience   []string   `json:"audience,omitempty"`
	Issued     time.Time  `json:"issued"`
	Expires    time.Time  `json:"expires"`
	Revoked    *time.Time `json:"revoked,omitempty"`
}

type listTokensIn struct {
	InTenant
	Principal string `query:"principal" required:"true" maxLength:"64"`
	Limit     int    `query:"limit" minimum:"1" maximum:"500" default:"100"`
}

func (a *api) listTokens(ctx context.Context, c *call, in listTokensIn) (*pageOut[Token], error) {
	p, err := c.principal(ctx, in.Principal)
	if err != nil {
		return nil, err
	}
	list, err := a.Tokens.Opaques(ctx, p.Tenant, p.ID, in.Limit)
	if err != nil {
		return nil, err
	}
	return pageOf(list, len(list), viewToken, nil), nil
}

func viewToken(t token.Opaque) Token {
	return Token{
		ID: t.ID, Principal: t.Principal, Credential: t.Credential, Grant: t.Grant, Scopes: t.Scopes,
		Audience: t.Audience, Issued: t.Issued.UTC(), Expires: t.Expires.UTC(), Revoked: when(t.Revoked),
	}
}

type revokeTokenIn struct {
	InTenant
	Body struct {
		Token string `json:"token" minLength:"1" maxLength:"16384" writeOnly:"true"`
	}
}

func (a *api) revokeToken(ctx context.Context, c *call, in revokeTokenIn) (*receiptOut, error) {
	text := secret.New(in.Body.Token)
	if secret.WellFormed(token.OpaquePrefix, text) {
		v, err := a.Opaques.VerifyOpaque(ctx, c.tenant, text, c.by.Source)
		if err != nil {
			return nil, notAlive(err)
		}
		if _, err := c.touchBearer(ctx, v.Subject); err != nil {
			return nil, err
		}
		return c.endOpaque(ctx, v.ID)
	}
	v, err := a.JWTs.VerifyJWT(ctx, c.tenant, nil, text, c.by.Source)
	if err != nil {
		return nil, notAlive(err)
	}
	owner, err := c.touchBearer(ctx, v.Subject)
	if err != nil {
		return nil, err
	}
	e, err := a.Scribe.Event(ctx, c.by, audit.Event{Action: "token.revoke", Tenant: c.tenant.ID, Target: v.Hash})
	if err != nil {
		return nil, err
	}
	change, err := a.Tokens.RevokeToken(ctx, token.RevokedToken{
		Hash: v.Hash, Tenant: c.tenant.ID, Principal: owner, Expires: v.Expires,
	}, e)
	if err != nil {
		return nil, err
	}
	return &receiptOut{Body: c.receipt(ctx, change)}, nil
}

// touchBearer finds whose token it is, to end it. Some kinds of tokens name their
// owner by the number of the secret that they were got with, and nothing else.
func (c *call) touchBearer(ctx context.Context, s token.Subject) (owner string, _ error) {
	owner = s.Principal
	if owner == "" && s.SecretNumber != 0 {
		rec, err := c.api.Credentials.Store.RecordBySecretNumber(ctx, s.SecretNumber)
		if err != nil {
			return "", err
		}
		owner = rec.Principal.ID
	}
	_, err := c.touch(ctx, owner)
	return owner, err
}

// notAlive answers for a token that cannot be revoked, because it is none of
// the tenant's or over already. Administrators may know which.
func notAlive(err error) error {
	if errors.Is(err, token.ErrInvalid) {
		return field.Errorf("token", "is not a live token of this tenant: %s", innermost(err))
	}
	return err
}

type opaqueIn struct {
	InTenant
	ID        string `path:"id" maxLength:"64"`
	Principal string `query:"principal" required:"true" maxLength:"64" doc:"Whose it is"`
}

func (a *api) revokeOpaque(ctx context.Context, c *call, in opaqueIn) (*receiptOut, error) {
	p, err := c.touch(ctx, in.Principal)
	if err != nil {
		return nil, err
	}
	list, err := a.Tokens.Opaques(ctx, p.Tenant, p.ID, 0)
	if err != nil {
		return nil, err
	}
	for _, t := range list {
		if t.ID == in.ID {
			return c.endOpaque(ctx, t.ID)
		}
	}
	return nil, errNotFound
}

func (c *call) endOpaque(ctx context.Context, id string) (*receiptOut, error) {
	e, err := c.api.Scribe.Event(ctx, c.by, audit.Event{Action: "token.revoke", Tenant: c.tenant.ID, Target: id})
	if err != nil {
		return nil, err
	}
	change, err := c.api.Tokens.RevokeOpaque(ctx, id, c.api.Now(), e)
	if err != nil {
		return nil, err
	}
	return &receiptOut{Body: c.receipt(ctx, change)}, nil
}
