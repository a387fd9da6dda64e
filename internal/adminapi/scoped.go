package adminapi

import (
	"context"
	"net/url"
	"strings"

	"gatehouse.dev/internal/credential"
)

// Scope is what a scoped token opens.
type Scope struct {
	Type    string   `json:"type" maxLength:"64" doc:"Of the resource, as policies call it" example:"Sale"`
	Key     string   `json:"key" maxLength:"200" example:"7741"`
	Actions []string `json:"actions" maxItems:"16" nullable:"false" doc:"As policies or as the protocol names them" example:"fd1.sales.get_sale"`
	MaxUses int64    `json:"max_uses,omitempty" minimum:"0" doc:"How many logins; 0: any number"`
}

// read takes an action as the protocol writes it, too: fd1.sales.get_sale is
// fd1:sales:get_sale to policies.
func (s *Scope) read() credential.Scope {
	if s == nil {
		return credential.Scope{}
	}
	out := credential.Scope{Type: s.Type, Key: s.Key, MaxUses: s.MaxUses}
	for _, a := range s.Actions {
		out.Actions = append(out.Actions, strings.ReplaceAll(a, ".", ":"))
	}
	return out
}

func viewScope(c credential.Credential) *Scope {
	if c.Kind != credential.ScopedToken {
		return nil
	}
	return &Scope{Type: c.Scope.Type, Key: c.Scope.Key, Actions: c.Scope.Actions, MaxUses: c.Scope.MaxUses}
}

// LinkPlace stands in a tenant's template for where the token goes.
const LinkPlace = "{token}"

// link is the address that a token is carried in, as by a QR code.
func (a *api) link(out credential.Issued) string {
	if out.Credential.Kind != credential.ScopedToken || a.Links == nil {
		return ""
	}
	template := a.Links(out.Credential.Tenant)
	if template == "" {
		return ""
	}
	return strings.ReplaceAll(template, LinkPlace, url.PathEscape(out.Text.Reveal()))
}

type revokeScopedIn struct {
	InTenant
	Body struct {
		Type string `json:"type" minLength:"1" maxLength:"64" example:"Sale"`
		Key  string `json:"key" minLength:"1" maxLength:"200" example:"7741"`
	}
}

// ScopedRevoked says how many tokens there were, with the receipt.
type ScopedRevoked struct {
	Tokens int `json:"tokens_revoked"`
	Receipt
}

type scopedRevokedOut struct{ Body ScopedRevoked }

func (a *api) revokeScoped(ctx context.Context, c *call, in revokeScopedIn) (*scopedRevokedOut, error) {
	n, change, err := a.Credentials.RevokeScoped(ctx, c.by, c.tenant.ID, in.Body.Type, in.Body.Key)
	if err != nil {
		return nil, err
	}
	return &scopedRevokedOut{Body: ScopedRevoked{Tokens: n, Receipt: c.receipt(ctx, change)}}, nil
}
