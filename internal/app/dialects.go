package app

import (
	"context"

	"gatehouse.dev/internal/config"
	"gatehouse.dev/internal/dialect/acqueon"
	"gatehouse.dev/internal/dialect/ayyeka"
	"gatehouse.dev/internal/dialect/fieldpine"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/tenant"
	"gatehouse.dev/internal/token"
)

// policyParts are the rules that dialects bring along, the same for every
// tenant whether it speaks the dialect or not: a role that is given before the
// dialect is switched on is still that role.
func policyParts() []policy.Part {
	return []policy.Part{ayyeka.Rules, acqueon.Rules, fieldpine.Rules}
}

// spoken is which tenant speaks what, and how.
type spoken struct {
	ayyeka map[string]ayyeka.Config // by tenant id
	tokens map[string][]*token.Profile
	links  map[string]string // of scoped tokens, by tenant id
}

// newSpoken reads the configuration. Profiles are the kinds of JWT that a
// tenant's callers may show where nobody says which kind it is.
func newSpoken(c *config.Config, tenants map[string]tenant.Tenant) *spoken {
	d := &spoken{ayyeka: map[string]ayyeka.Config{}, tokens: map[string][]*token.Profile{}, links: map[string]string{}}
	for name, t := range tenants {
		settings := c.Tenants[name]
		if settings == nil {
			settings = new(config.Tenant)
		}
		issuer := string(settings.IssuerOf())
		if issuer != "" {
			d.tokens[t.ID] = append(d.tokens[t.ID], token.AccessProfile(t.ID, issuer, issuer, accessLifetime))
		}
		if a := settings.Dialects.Ayyeka; a != nil {
			d.ayyeka[t.ID] = ayyekaConfig(a)
			d.tokens[t.ID] = append(d.tokens[t.ID], ayyeka.Profile(d.ayyeka[t.ID]))
		}
		if f := settings.Dialects.Fieldpine; f != nil {
			d.links[t.ID] = f.Link
		}
	}
	return d
}

// link is a tenant's template for the links of scoped tokens; "" without.
func (d *spoken) link(tenant string) string { return d.links[tenant] }

func ayyekaConfig(a *config.Ayyeka) ayyeka.Config {
	return ayyeka.Config{
		Issuer: a.Issuer, Lifetime: a.Lifetime.Std(), KeyID: a.KeyID,
		BareToken: a.AcceptBareToken, JWTScheme: a.AcceptJWTScheme,
	}
}

func (d *spoken) profiles(t tenant.Tenant) []*token.Profile { return d.tokens[t.ID] }

// prepareKeys has the signing keys made that the first callers will need. RSA
// keys take seconds; nobody should wait for them who does not have to.
func (d *spoken) prepareKeys(ctx context.Context, k *core, house string) {
	k.keys.Prepare(ctx, house, token.UseIdentity, token.ES256)
	for t, c := range d.ayyeka {
		p := ayyeka.Profile(c)
		k.keys.Prepare(ctx, t, p.Use, p.Alg)
	}
}
