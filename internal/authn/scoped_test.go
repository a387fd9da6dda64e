package authn_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/secret"
)

// scoped adds a token for sale 7741 and returns what shows it.
func (h *house) scoped(uses int64) (*credential.Record, authn.Attempt) {
	text := secret.Generate(credential.TokenPrefix)
	rec := h.add(credential.ScopedToken, text.Reveal()[:10], credential.Digest, h.digest.Digest(text))
	h.store.edit(func() {
		rec.Credential.Created = time.Now()
		rec.Credential.Expires = time.Now().Add(time.Hour)
		rec.Credential.Scope = credential.Scope{Type: "Sale", Key: "7741", Actions: []string{"fd1:sales:get_sale"}, MaxUses: uses}
	})
	return rec, authn.Attempt{Tenant: acme, Dialect: "fieldpine", Method: identity.ScopedToken, Secret: text, Remote: home}
}

func TestScopedToken(t *testing.T) {
	t.Parallel()
	h := build(t)
	rec, a := h.scoped(0)
	id, err := h.Login(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []*identity.Identity{id, renewed(t, h, id)} {
		if diff := cmp.Diff([]string{"fd1:sales:get_sale"}, id.Scopes); diff != "" {
			t.Errorf("scopes (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]identity.Thing{{Type: "Sale", ID: "7741"}}, id.Only); diff != "" {
			t.Errorf("only (-want +got):\n%s", diff)
		}
		for _, g := range []revocation.Ground{
			ground(revocation.Principal, rec.Principal.ID), ground(revocation.Credential, rec.Credential.ID), ground(revocation.TokensOf, rec.Principal.ID),
		} {
			if !slices.Contains(id.Grounds, g) {
				t.Errorf("ground %v is missing", g)
			}
		}
	}
	// An API key's method does not take it, nor this one an API key.
	as := a
	as.Method = identity.APIKey
	_, key := h.apiKey()
	key.Method = identity.ScopedToken
	for name, a := range map[string]authn.Attempt{"token as key": as, "key as token": key} {
		if _, err := h.Login(t.Context(), a); kindOf(err) != authn.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	// It ends with all tokens of its owner.
	h.store.edit(func() { rec.Principal.NotBefore = time.Now().Add(time.Second) })
	if _, err := h.Login(t.Context(), a); kindOf(err) != authn.Invalid || h.diary.last().Reason != "token ended with all earlier ones" {
		t.Errorf("after its owner's tokens were ended: %v", err)
	}
}

func renewed(t *testing.T, h *house, id *identity.Identity) *identity.Identity {
	t.Helper()
	again, err := h.Renew(t.Context(), id, home)
	if err != nil {
		t.Fatal(err)
	}
	return again
}

// One use is one login; what is refused for another reason uses none.
func TestUses(t *testing.T) {
	t.Parallel()
	h := build(t)
	rec, a := h.scoped(2)
	h.store.edit(func() { rec.Credential.Networks = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} })
	away := a
	away.Remote = netip.MustParseAddr("198.51.100.1")
	if _, err := h.Login(t.Context(), away); kindOf(err) != authn.Invalid {
		t.Errorf("from another network: %v", err)
	}
	for range 2 {
		if _, err := h.Login(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.Login(t.Context(), a); kindOf(err) != authn.Invalid || h.diary.last().Reason != "used up" {
		t.Errorf("the third login: %v, audited as %q", err, h.diary.last().Reason)
	}
}

// places says of some addresses where they are.
type places map[netip.Addr]string

func (p places) Country(a netip.Addr) string { return p[a] }

func TestCountries(t *testing.T) {
	t.Parallel()
	nz, au := netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("203.0.113.2")
	h := build(t, func(o *authn.Options) { o.Countries = places{nz: "NZ", au: "AU"} })
	rec, a := h.apiKey()
	h.store.edit(func() { rec.Credential.Countries = []string{"FJ", "NZ"} })
	for name, tt := range map[string]struct {
		from    netip.Addr
		allowed bool
	}{"inside": {nz, true}, "mapped": {netip.AddrFrom16(nz.As16()), true}, "outside": {au, false}, "unknown": {home, false}} {
		a.Remote = tt.from
		for _, call := range []func() (*identity.Identity, error){
			func() (*identity.Identity, error) { return h.Login(t.Context(), a) },
			func() (*identity.Identity, error) { return h.Check(t.Context(), a) },
			func() (*identity.Identity, error) { return h.Check(t.Context(), a) }, // remembered
		} {
			id, err := call()
			if (err == nil) != tt.allowed {
				t.Errorf("%s: %v", name, err)
			}
			if err == nil {
				if _, err := h.Renew(t.Context(), id, au); err == nil {
					t.Error("renewed from another country")
				}
			}
		}
	}
}
