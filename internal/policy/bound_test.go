package policy_test

import (
	"net/netip"
	"strings"
	"testing"

	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/principal"
)

// Roles that are bound count from there, with what they include, and take
// nothing away anywhere else.
func TestBoundRoles(t *testing.T) {
	t.Parallel()
	lan := netip.MustParsePrefix("10.0.0.0/8")
	cedar := `
@id("sell") permit (principal in Role::"seller", action == Action::"sell", resource);
@id("count") permit (principal in Role::"counter", action == Action::"count", resource);`
	roles := []policy.Role{
		{Name: "seller"}, {Name: "counter"},
		{Name: "home", Includes: []string{"seller"}, Countries: []string{"NZ"}},
		{Name: "inside", Includes: []string{"seller"}, Networks: []netip.Prefix{lan}},
		{Name: "both", Includes: []string{"seller"}, Countries: []string{"NZ"}, Networks: []netip.Prefix{lan}},
		{Name: "staff", Includes: []string{"home", "counter"}},
	}
	e, _ := setup(t, cedar, roles...)
	from := map[string]policy.Request{
		"nz": {Country: "NZ", Source: netip.MustParseAddr("203.0.113.1")}, "nz lan": {Country: "NZ", Source: netip.MustParseAddr("::ffff:10.1.1.1")},
		"au lan": {Country: "AU", Source: netip.MustParseAddr("10.1.1.1")}, "nowhere": {},
	}
	for _, tt := range []struct{ roles, action, allowed string }{
		{"seller", "sell", "nz,nz lan,au lan,nowhere"},
		{"home", "sell", "nz,nz lan"},
		{"inside", "sell", "nz lan,au lan"},
		{"both", "sell", "nz lan"},
		{"staff", "sell", "nz,nz lan"},
		{"staff", "count", "nz,nz lan,au lan,nowhere"},
		{"home,inside", "sell", "nz,nz lan,au lan"}, // one that allows is enough
		{"home,seller", "sell", "nz,nz lan,au lan,nowhere"},
		{"home@Shop:1", "sell", ""}, // held for a place, and this is another
	} {
		id := &identity.Identity{Tenant: "ten_1", Principal: "usr_1", Kind: principal.User, Roles: strings.Split(tt.roles, ",")}
		for range 2 { // and again, from memory if anything were remembered
			for name, r := range from {
				r.Identity, r.Action, r.Resource = id, tt.action, policy.Resource{Type: "Shop", ID: "2"}
				d, err := e.Decide(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				want := false
				for _, w := range strings.Split(tt.allowed, ",") {
					want = want || w == name
				}
				if d.Allowed != want {
					t.Errorf("%s may %s from %s: %v, want %v", tt.roles, tt.action, name, d.Allowed, want)
				}
				x, err := e.Explain(t.Context(), r)
				if err != nil || x.Allowed != want {
					t.Errorf("%s may %s from %s: explained as %v, %v", tt.roles, tt.action, name, x.Allowed, err)
				}
			}
		}
	}
}

func TestBadBounds(t *testing.T) {
	t.Parallel()
	e, _ := setup(t, "")
	for name, r := range map[string]policy.Role{
		"country":  {Name: "a", Countries: []string{"nz"}},
		"no code":  {Name: "a", Countries: []string{""}},
		"network":  {Name: "a", Networks: []netip.Prefix{{}}},
		"unmasked": {Name: "a", Networks: []netip.Prefix{netip.MustParsePrefix("10.1.1.1/8")}},
		"many":     {Name: "a", Countries: make([]string, 65)},
	} {
		if _, err := e.Check(policy.Set{Roles: []policy.Role{r}}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// A token that was made for one thing is refused every other, whatever permits
// the action.
func TestScopeOnly(t *testing.T) {
	t.Parallel()
	e, _ := setup(t, `
@id("all") permit (principal, action, resource);
@id("tokens") permit (principal is Token, action, resource);`)
	id := &identity.Identity{Tenant: "ten_1", Principal: "cli_1", Kind: principal.Client,
		Scopes: []string{"fd1:sales:get_sale"}, Only: []identity.Thing{{Type: "Sale", ID: "7741"}}}
	free := &identity.Identity{Tenant: "ten_1", Principal: "cli_1", Kind: principal.Client, Scopes: id.Scopes}
	for range 2 {
		for _, tt := range []struct {
			id   *identity.Identity
			r    policy.Resource
			want bool
		}{
			{id, policy.Resource{Type: "Sale", ID: "7741"}, true},
			{id, policy.Resource{Type: "Sale", ID: "7742"}, false},
			{id, policy.Resource{Type: "Order", ID: "7741"}, false},
			{id, policy.Resource{Type: "Line", ID: "1", Parents: []policy.Parent{{Type: "Sale", ID: "7741"}}}, true},
			{id, policy.Resource{Type: "Line", ID: "1", Parents: []policy.Parent{{Type: "Sale", ID: "7742"}}}, false},
			{free, policy.Resource{Type: "Sale", ID: "7742"}, true},
		} {
			d, err := e.Decide(t.Context(), policy.Request{Identity: tt.id, Action: "fd1:sales:get_sale", Resource: tt.r})
			if err != nil || d.Allowed != tt.want {
				t.Errorf("only %v, %v: allowed %v (%v), want %v", tt.id.Only, tt.r, d.Allowed, err, tt.want)
			}
		}
	}
}
