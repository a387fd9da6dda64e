package adminapi

import (
	"net/netip"
	"time"

	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/tenant"
)

// Page is one page of a list. Next, when there, goes into ?after=.
type Page[T any] struct {
	Items []T    `json:"items" nullable:"false"`
	Next  string `json:"next,omitempty" doc:"Give it as after to go on; absent on the last page"`
}

type pageOut[T any] struct{ Body Page[T] }

// pageOf makes views of a list that was asked for with one more than limit.
func pageOf[T, V any](list []T, limit int, view func(T) V, key func(T) string) *pageOut[V] {
	p := &pageOut[V]{Body: Page[V]{Items: []V{}}}
	for i, t := range list {
		if i == limit {
			p.Body.Next = key(list[i-1])
			break
		}
		p.Body.Items = append(p.Body.Items, view(t))
	}
	return p
}

type Paging struct {
	After string `query:"after" maxLength:"64" doc:"Go on after this id"`
	Limit int    `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"How many at most"`
}

func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// Tenant is one organisation.
type Tenant struct {
	ID      string    `json:"id"`
	Number  int64     `json:"number" doc:"Given once, never reused"`
	Name    string    `json:"name"`
	Enabled bool      `json:"enabled"`
	Created time.Time `json:"created"`
}

func viewTenant(t tenant.Tenant) Tenant {
	return Tenant{ID: t.ID, Number: t.Number, Name: t.Name, Enabled: t.Enabled, Created: t.Created.UTC()}
}

// Principal is a user, client, application, device or bearer.
type Principal struct {
	ID          string     `json:"id"`
	Number      int64      `json:"number" doc:"Given once, never reused"`
	Tenant      string     `json:"tenant" doc:"Id of its tenant"`
	Kind        string     `json:"kind" enum:"user,client,application,device,bearer"`
	Name        string     `json:"name"`
	DisplayName string     `json:"display_name,omitempty"`
	Comment     string     `json:"comment,omitempty"`
	Enabled     bool       `json:"enabled"`
	Roles       []string   `json:"roles" nullable:"false"`
	NotBefore   *time.Time `json:"tokens_not_before,omitempty" doc:"Tokens issued earlier have been ended"`
	ReuseWindow string     `json:"reuse_window,omitempty" doc:"How long the same request may get the same token" example:"30s"`
	Created     time.Time  `json:"created"`
}

func viewPrincipal(p principal.Principal) Principal {
	v := Principal{
		ID: p.ID, Number: p.Number, Tenant: p.Tenant, Kind: string(p.Kind), Name: p.Name,
		DisplayName: p.DisplayName, Comment: p.Comment, Enabled: p.Enabled,
		Roles: append([]string{}, p.Roles...), NotBefore: when(p.NotBefore), Created: p.Created.UTC(),
	}
	if p.ReuseWindow > 0 {
		v.ReuseWindow = p.ReuseWindow.String()
	}
	return v
}

// Credential is a credential without its secrets.
type Credential struct {
	ID        string     `json:"id"`
	Number    int64      `json:"number" doc:"Given once, never reused"`
	Tenant    string     `json:"tenant" doc:"Id of its tenant"`
	Principal string     `json:"principal" doc:"Id of its owner"`
	Kind      string     `json:"kind" enum:"password,api_key,key_pair,encryption,scoped_token"`
	Dialect   string     `json:"dialect" doc:"Whose shape it has"`
	Key       string     `json:"key" doc:"User name of a password or an encryption secret, public key of a pair, first characters of an API key or a token"`
	Comment   string     `json:"comment,omitempty"`
	State     string     `json:"state" enum:"enabled,disabled,revoked,expired"`
	Revoked   *time.Time `json:"revoked,omitempty"`
	Networks  []string   `json:"networks,omitempty" doc:"Where it works; absent: everywhere"`
	Countries []string   `json:"countries,omitempty" doc:"Where it works; absent: everywhere"`
	Users     []string   `json:"users,omitempty" doc:"As whom it works; absent: as anybody"`
	NotBefore *time.Time `json:"not_before,omitempty"`
	Expires   *time.Time `json:"expires,omitempty"`
	Scope     *Scope     `json:"scope,omitempty" doc:"Of a scoped token: what it opens"`
	Uses      int64      `json:"uses,omitempty" doc:"Of a scoped token: how many logins there were"`
	Created   time.Time  `json:"created"`
	CreatedBy string     `json:"created_by,omitempty" doc:"Id of the principal who made it, or local for the Unix socket; absent where that was not kept yet"`
	LastUsed  *time.Time `json:"last_used,omitempty"`
	LastFrom  string     `json:"last_used_from,omitempty" doc:"Address from where it was used last"`
}

func (a *api) viewCredential(c credential.Credential) Credential {
	v := Credential{
		ID: c.ID, Number: c.Number, Tenant: c.Tenant, Principal: c.Principal,
		Kind: string(c.Kind), Dialect: c.Dialect, Key: c.Lookup, Comment: c.Comment,
		Revoked: when(c.Revoked), NotBefore: when(c.NotBefore), Expires: when(c.Expires),
		Created: c.Created.UTC(), CreatedBy: c.CreatedBy, State: "enabled",
		LastUsed: when(c.LastUsed), LastFrom: showAddr(c.LastFrom),
		Countries: c.Countries, Users: c.Users, Scope: viewScope(c), Uses: c.Uses,
	}
	for _, n := range c.Networks {
		v.Networks = append(v.Networks, n.String())
	}
	switch {
	case !c.Revoked.IsZero():
		v.State = "revoked"
	case !c.Enabled:
		v.State = "disabled"
	case !c.Expires.IsZero() && !a.Now().Before(c.Expires):
		v.State = "expired"
	}
	return v
}

// Secret is one of the secrets of a credential, without its text.
type Secret struct {
	ID        string     `json:"id"`
	Number    int64      `json:"number" doc:"Given once, never reused; tokens name it"`
	Live      bool       `json:"live" doc:"It can be shown now"`
	Scheme    string     `json:"scheme" enum:"digest,hashed,sealed"`
	NotBefore *time.Time `json:"not_before,omitempty"`
	Expires   *time.Time `json:"expires,omitempty"`
	Revoked   *time.Time `json:"revoked,omitempty"`
	Created   time.Time  `json:"created"`
	LastUsed  *time.Time `json:"last_used,omitempty"`
	LastFrom  string     `json:"last_used_from,omitempty" doc:"Address from where it was used last"`
}

func (a *api) viewSecret(s credential.Secret) Secret {
	return Secret{
		ID: s.ID, Number: s.Number, Live: s.Live(a.Now()), Scheme: string(s.Scheme),
		NotBefore: when(s.NotBefore), Expires: when(s.Expires), Revoked: when(s.Revoked),
		Created: s.Created.UTC(), LastUsed: when(s.LastUsed), LastFrom: showAddr(s.LastFrom),
	}
}

func showAddr(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
