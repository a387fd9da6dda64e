package adminapi

import (
	"cmp"
	"context"
	"net/http"
	"net/netip"
	"time"

	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/field"
	"gatehouse.dev/internal/secret"
)

func (a *api) credentials() {
	const tag, what, list, one = "Credentials", "credentials", "/v1/credentials", "/v1/credentials/{id}"
	o := func(id, method, path, summary, detail string) op {
		return op{id: id, method: method, path: path, tag: tag, what: what, summary: summary, detail: detail}
	}
	create := o("create-credential", http.MethodPost, list, "Make a credential",
		"The secret is in this answer and nowhere else.")
	create.status = http.StatusCreated
	add(a, o("list-credentials", http.MethodGet, list, "List credentials", ""), a.listCredentials)
	add(a, create, a.createCredential)
	add(a, o("get-credential", http.MethodGet, one, "Show a credential and its secrets, without their texts", ""), a.getCredential)
	add(a, o("update-credential", http.MethodPatch, one, "Change comment and constraints",
		"Constraints, when given, replace all of the old ones. What no longer satisfies them ends."), a.updateCredential)
	add(a, o("revoke-credential", http.MethodPost, one+"/revoke", "Revoke for good, and end what rests on it", ""), a.revokeCredential)
	add(a, o("disable-credential", http.MethodPost, one+"/disable", "Disable, and end what rests on it", ""), a.disableCredential)
	add(a, o("enable-credential", http.MethodPost, one+"/enable", "Enable again", ""), a.enableCredential)
	add(a, o("rotate-credential", http.MethodPost, one+"/rotate", "Add a fresh secret and let the older ones end",
		"The secret is in this answer and nowhere else. The older ones live on for the overlap."), a.rotateCredential)
	replace := o("replace-credential", http.MethodPost, one+"/replace", "Make a fresh key or pair in the place of one",
		"It has the owner, comment and constraints of the old one, which ends after the overlap. The secret is in this answer and nowhere else.")
	replace.status = http.StatusCreated
	add(a, replace, a.replaceCredential)
	add(a, o("revoke-scoped", http.MethodPost, list+"/revoke-scoped", "Revoke every token for one resource, and end what rests on them", ""), a.revokeScoped)
	add(a, o("revoke-secret", http.MethodPost, one+"/secrets/{secret}/revoke", "End one secret, and what rests on it", ""), a.revokeSecret)
}

type CredentialIn struct {
	InTenant
	ID string `path:"id" maxLength:"64"`
}

// credential finds a credential that the call may be about.
func (c *call) credential(ctx context.Context, id string) (credential.Credential, error) {
	cr, err := c.api.Credentials.Store.Credential(ctx, id)
	if err != nil {
		return cr, err
	}
	return cr, c.reach(ctx, cr.Tenant)
}

// touchCredential finds a credential to change; see touch.
func (c *call) touchCredential(ctx context.Context, id string) (credential.Credential, error) {
	cr, err := c.credential(ctx, id)
	if err != nil {
		return cr, err
	}
	_, err = c.touch(ctx, cr.Principal)
	return cr, err
}

type listCredentialsIn struct {
	InTenant
	Paging
	Principal string `query:"principal" maxLength:"64" doc:"Only those of this principal"`
	Kind      string `query:"kind" enum:"password,api_key,key_pair,encryption,scoped_token"`
	Dialect   string `query:"dialect" maxLength:"32"`

	ResourceType string `query:"resource_type" maxLength:"64" doc:"Only tokens for a resource of this type"`
	ResourceKey  string `query:"resource_key" maxLength:"200" doc:"Only tokens for a resource with this key"`
}

func (a *api) listCredentials(ctx context.Context, c *call, in listCredentialsIn) (*pageOut[Credential], error) {
	list, err := a.Credentials.Store.Credentials(ctx, credential.Filter{
		Tenant: c.tenant.ID, Principal: in.Principal, Kind: credential.Kind(in.Kind), Dialect: in.Dialect,
		ResourceType: in.ResourceType, ResourceKey: in.ResourceKey,
		After: in.After, Limit: in.Limit + 1,
	})
	if err != nil {
		return nil, err
	}
	return pageOf(list, in.Limit, a.viewCredential, func(c credential.Credential) string { return c.ID }), nil
}

// ConstraintsIn narrows when and from where a credential works.
type ConstraintsIn struct {
	Networks  []string   `json:"networks,omitempty" maxItems:"64" doc:"Where it works, such as 10.0.0.0/8; none: everywhere"`
	Countries []string   `json:"countries,omitempty" maxItems:"64" doc:"Where it works, by codes such as NZ; none: everywhere. It takes a database of countries to work anywhere"`
	Users     []string   `json:"users,omitempty" maxItems:"64" doc:"As whom it works, in protocols that let callers say a user beside the credential (acqueon); none: as anybody. With some it works in no other protocol"`
	NotBefore *time.Time `json:"not_before,omitempty"`
	Expires   *time.Time `json:"expires,omitempty"`
}

func (in ConstraintsIn) read() (credential.Constraints, error) {
	out := credential.Constraints{NotBefore: timeOf(in.NotBefore), Expires: timeOf(in.Expires), Countries: in.Countries, Users: in.Users}
	networks, err := prefixes(in.Networks)
	out.Networks = networks
	return out, err
}

// prefixes reads networks; a bare address is a network of one.
func prefixes(texts []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range texts {
		p, err := netip.ParsePrefix(s)
		if a, errAddr := netip.ParseAddr(s); errAddr == nil {
			a = a.Unmap().WithZone("")
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			return nil, field.Errorf("networks", "has an entry that is not a network such as 10.0.0.0/8 or 2001:db8::/32")
		}
		out = append(out, p)
	}
	return out, nil
}

type createCredentialIn struct {
	InTenant
	Body struct {
		Principal string `json:"principal" minLength:"1" maxLength:"64" doc:"Id of the owner"`
		Kind      string `json:"kind" enum:"password,api_key,key_pair,encryption,scoped_token"`
		Dialect   string `json:"dialect,omitempty" maxLength:"32" doc:"Whose shape it has; default: gatehouse" example:"ayyeka"`
		Comment   string `json:"comment,omitempty" maxLength:"500"`
		ConstraintsIn
		Scope         *Scope     `json:"scope,omitempty" doc:"For kind scoped_token: what it opens"`
		SecretExpires *time.Time `json:"secret_expires,omitempty" doc:"Ends the first secret only"`
		Password      string     `json:"password,omitempty" maxLength:"1024" writeOnly:"true" doc:"For kind password; default: one is made"`
	}
}

// Issued is a credential with the text of a fresh secret.
type Issued struct {
	Credential Credential `json:"credential"`
	SecretID   string     `json:"secret_id"`
	Secret     string     `json:"secret,omitempty" doc:"Shown this once; absent when you brought the password along"`
	Link       string     `json:"link,omitempty" doc:"Of a scoped token, where the tenant has links: the secret is part of it"`
}

type issuedOut struct{ Body Issued }

func (a *api) issued(out credential.Issued) Issued {
	v := Issued{Credential: a.viewCredential(out.Credential), SecretID: out.Secret.ID}
	if !out.Given {
		v.Secret = out.Text.Reveal()
	}
	v.Link = a.link(out)
	return v
}

func (a *api) createCredential(ctx context.Context, c *call, in createCredentialIn) (*issuedOut, error) {
	if k := in.Body.Kind; k == string(credential.Encryption) || k == string(credential.ScopedToken) {
		in.Body.Dialect = cmp.Or(in.Body.Dialect, "fieldpine")
	}
	constraints, err := in.Body.ConstraintsIn.read()
	if err != nil {
		return nil, err
	}
	p, err := c.touch(ctx, in.Body.Principal)
	if err != nil {
		return nil, err
	}
	out, err := a.Credentials.Create(ctx, c.by, p, credential.Spec{
		Kind: credential.Kind(in.Body.Kind), Dialect: in.Body.Dialect, Comment: in.Body.Comment,
		Constraints: constraints, Scope: in.Body.Scope.read(), SecretExpires: timeOf(in.Body.SecretExpires), Password: secret.New(in.Body.Password),
	})
	if err != nil {
		return nil, err
	}
	return &issuedOut{Body: a.issued(out)}, nil
}

// CredentialWithSecrets is a credential and what is known of its secrets.
type CredentialWithSecrets struct {
	Credential
	Secrets []Secret `json:"secrets" nullable:"false"`
}

type credentialOut struct{ Body CredentialWithSecrets }

func (a *api) getCredential(ctx context.Context, c *call, in CredentialIn) (*credentialOut, error) {
	cr, err := c.credential(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	secrets, err := a.Credentials.Store.Secrets(ctx, cr.ID)
	if err != nil {
		return nil, err
	}
	v := CredentialWithSecrets{Credential: a.viewCredential(cr), Secrets: []Secret{}}
	for _, s := range secrets {
		v.Secrets = append(v.Secrets, a.viewSecret(s))
	}
	return &credentialOut{Body: v}, nil
}

type rotateIn struct {
	CredentialIn
	Body struct {
		Overlap  *string `json:"overlap,omitempty" maxLength:"20" doc:"How long the older secrets live on; 0s ends them at once. Default: 24h, for passwords 0s" example:"24h"`
		Password string  `json:"password,omitempty" maxLength:"1024" writeOnly:"true" doc:"For kind password; default: one is made"`
	}
}

// Rotated is a fresh secret, and the receipt where older ones end sooner.
type Rotated struct {
	Issued
	OldEnd time.Time `json:"old_secrets_end" doc:"When the older secrets end at the latest"`
	Receipt
}

type rotatedOut struct{ Body Rotated }

func (a *api) rotateCredential(ctx context.Context, c *call, in rotateIn) (*rotatedOut, error) {
	cr, err := c.touchCredential(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	overlap := 24 * time.Hour
	if cr.Kind == credential.Password {
		overlap = 0
	}
	if in.Body.Overlap != nil {
		if overlap, err = duration("overlap", *in.Body.Overlap); err != nil {
			return nil, err
		}
	}
	end := a.Now().Add(overlap).UTC()
	out, err := a.Credentials.Rotate(ctx, c.by, cr, overlap, secret.New(in.Body.Password))
	if err != nil {
		return nil, err
	}
	return &rotatedOut{Body: Rotated{Issued: a.issued(out), OldEnd: end, Receipt: c.receipt(ctx, out.Change)}}, nil
}
