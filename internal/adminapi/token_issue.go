package adminapi

import (
	"context"
	"strings"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/field"
	"gatehouse.dev/internal/token"
)

// Lifetimes of tokens that an administrator makes.
const (
	tokenLifetime    = time.Hour
	minTokenLifetime = time.Second
	maxTokenLifetime = 366 * 24 * time.Hour
)

type issueTokenIn struct {
	InTenant
	Body struct {
		Principal  string   `json:"principal,omitempty" maxLength:"64" doc:"Id of the owner; may be left out when a credential is named"`
		Credential string   `json:"credential,omitempty" maxLength:"64" doc:"Id of a credential of the owner that the token rests on: it ends with it, and with the secret that is its newest now, and works only where it does"`
		Scopes     []string `json:"scopes,omitempty" maxItems:"64" doc:"What it is good for" example:"[\"performance-metrics\"]"`
		Unscoped   bool     `json:"unscoped,omitempty" doc:"In place of scopes: good for all that its owner may do"`
		Audience   []string `json:"audience,omitempty" maxItems:"16" doc:"Dialects that it may be shown to; none: all" example:"[\"acqueon\"]"`
		ProofKey   string   `json:"dpop_jkt,omitempty" maxLength:"43" doc:"Thumbprint of a key (RFC 7638, SHA-256) that its bearer must prove to hold with each use (RFC 9449)"`
		Lifetime   string   `json:"lifetime,omitempty" maxLength:"20" doc:"Default: 1h; at most 8784h" example:"1h"`
	}
}

// IssuedToken is a token with its text.
type IssuedToken struct {
	Token
	Text string `json:"token" doc:"Shown this once"`
}

type issuedTokenOut struct{ Body IssuedToken }

func (a *api) issueToken(ctx context.Context, c *call, in issueTokenIn) (*issuedTokenOut, error) {
	lifetime, err := in.check()
	if err != nil {
		return nil, err
	}
	o := token.Opaque{Scopes: in.Body.Scopes, Audience: in.Body.Audience, ProofKey: in.Body.ProofKey}
	if err := c.restOn(ctx, &o, in.Body.Principal, in.Body.Credential); err != nil {
		return nil, err
	}
	e, err := a.Scribe.Event(ctx, c.by, audit.Event{Action: "token.issue", Tenant: o.Tenant})
	if err != nil {
		return nil, err
	}
	text, made, err := a.Opaques.Issue(ctx, o, lifetime, e)
	if err != nil {
		return nil, err
	}
	return &issuedTokenOut{Body: IssuedToken{Token: viewToken(made), Text: text.Reveal()}}, nil
}

func (in *issueTokenIn) check() (time.Duration, error) {
	b := &in.Body
	if b.Unscoped == (len(b.Scopes) > 0) {
		return 0, field.Errorf("scopes", "must be given, unless unscoped is")
	}
	for _, s := range b.Scopes {
		if !scopeToken(s) {
			return 0, field.Errorf("scopes", "has an entry that is no scope: visible ASCII characters other than quotes and backslashes")
		}
	}
	for _, s := range b.Audience {
		if s == "" || len(s) > 32 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return 0, field.Errorf("audience", "has an entry that is no dialect, such as acqueon or gateway")
		}
	}
	if b.ProofKey != "" && !token.Thumbprint(b.ProofKey) {
		return 0, field.Errorf("dpop_jkt", "is not the thumbprint of a key: 43 characters of base64url")
	}
	lifetime, err := duration("lifetime", b.Lifetime)
	if err != nil || b.Lifetime == "" {
		return tokenLifetime, err
	}
	if lifetime < minTokenLifetime || lifetime > maxTokenLifetime {
		return 0, field.Errorf("lifetime", "is not between %v and %v", minTokenLifetime, maxTokenLifetime)
	}
	return lifetime, nil
}

// scopeToken is as RFC 6749, section 3.3 has it.
func scopeToken(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// restOn settles whose token it is to be, and on what it rests.
func (c *call) restOn(ctx context.Context, o *token.Opaque, owner, credentialID string) error {
	if credentialID == "" {
		if owner == "" {
			return field.Errorf("principal", "must be given, or a credential")
		}
		p, err := c.touch(ctx, owner)
		o.Tenant, o.Principal = p.Tenant, p.ID
		return err
	}
	cr, err := c.touchCredential(ctx, credentialID)
	if err != nil {
		return err
	}
	if owner != "" && owner != cr.Principal {
		return field.Errorf("credential", "belongs to another principal")
	}
	sec, err := c.newestSecret(ctx, cr)
	o.Tenant, o.Principal, o.Credential, o.Secret = cr.Tenant, cr.Principal, cr.ID, sec.ID
	return err
}

// newestSecret is the secret of a credential that lives longest from now on.
func (c *call) newestSecret(ctx context.Context, cr credential.Credential) (newest credential.Secret, err error) {
	secrets, err := c.api.Credentials.Store.Secrets(ctx, cr.ID)
	if err != nil {
		return newest, err
	}
	for _, s := range secrets {
		if s.Live(c.api.Now()) && s.Number > newest.Number {
			newest = s
		}
	}
	if newest.ID == "" || !cr.Revoked.IsZero() {
		return newest, field.Errorf("credential", "has no secret that can be used")
	}
	return newest, nil
}
