package adminapi_test

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"gatehouse.dev/internal/adminapi"
	"gatehouse.dev/internal/inbound"
	"gatehouse.dev/internal/token"
)

func TestRevokeJWT(t *testing.T) {
	t.Parallel()
	in, root := setup(t)
	key := in.Key(in.User(in.Default, "ada"))
	tok, other := in.JWT(in.Default, key), in.JWT(in.Default, key)
	r := root.do("POST", "/v1/tokens/revoke", m{"token": tok.Reveal()}).want(200)
	if r.at("change").(float64) < 1 || strings.Contains(r.text, tok.Reveal()) {
		t.Errorf("receipt: %s", r.text)
	}
	root.do("GET", fmt.Sprintf("/v1/changes/%v", r.at("change")), nil).want(200)
	if never := root.do("GET", "/v1/changes/999", nil).want(404); never.text_("detail") != "there has been no change 999" {
		t.Errorf("a change that never was: %s", never.text)
	}
	if _, err := in.JWTs.VerifyJWT(t.Context(), in.Default, nil, tok, netip.Addr{}); err == nil {
		t.Error("the token still works")
	}
	if _, err := in.JWTs.VerifyJWT(t.Context(), in.Default, nil, other, netip.Addr{}); err != nil {
		t.Errorf("another token of the same client ended too: %v", err)
	}
	again := root.do("POST", "/v1/tokens/revoke", m{"token": tok.Reveal()}).want(422)
	if strings.Contains(again.text, tok.Reveal()) {
		t.Errorf("the answer shows the token: %s", again.text)
	}
	// Nor is it another tenant's to revoke.
	in.Tenant("acme")
	root.do("POST", "/v1/tokens/revoke?tenant=acme", m{"token": other.Reveal()}).want(422)
}

func TestRevokeOpaque(t *testing.T) {
	t.Parallel()
	in, root := setup(t)
	ada, bob := in.User(in.Default, "ada"), in.User(in.Default, "bob")
	opaques := in.Opaques.(*token.OpaqueTokens)
	issue := func() (string, string) {
		text, o, err := opaques.Issue(t.Context(), token.Opaque{Tenant: in.Default.ID, Principal: ada.ID, Scopes: []string{"site:read"}}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return text.Reveal(), o.ID
	}
	first, _ := issue()
	second, id := issue()
	list := root.do("GET", "/v1/tokens?principal="+ada.ID, nil).want(200)
	if len(list.at("items").([]any)) != 2 || strings.Contains(list.text, second) || list.text_("items.0.scopes.0") != "site:read" {
		t.Errorf("tokens: %s", list.text)
	}
	root.do("POST", "/v1/tokens/revoke", m{"token": first}).want(200)
	root.do("POST", "/v1/tokens/"+id+"/revoke?principal="+bob.ID, nil).want(404)
	root.do("POST", "/v1/tokens/"+id+"/revoke?principal="+ada.ID, nil).want(200)
	for _, text := range []string{first, second} {
		root.do("POST", "/v1/tokens/revoke", m{"token": text}).want(422)
	}
}

func TestSigningKeys(t *testing.T) {
	t.Parallel()
	in, root := setup(t)
	acme := in.Tenant("acme")
	tok := in.JWT(in.Default, in.Key(in.User(in.Default, "ada")))
	list := root.do("GET", "/v1/signing-keys", nil).want(200)
	if strings.Contains(list.text, "rivate") {
		t.Errorf("keys: %s", list.text)
	}
	var active string
	for _, k := range list.at("items").([]any) {
		if k.(m)["state"] == "active" {
			active = k.(m)["id"].(string)
		}
	}
	root.with(in.Admin(acme, "boss")).do("POST", "/v1/signing-keys/"+active+"/distrust?tenant=acme", nil).want(404)
	root.do("POST", "/v1/signing-keys/"+active+"/distrust?tenant=acme", nil).want(404)
	root.do("POST", "/v1/signing-keys/"+active+"/seal", nil).want(409)
	if r := root.do("POST", "/v1/signing-keys/"+active+"/distrust", nil).want(200); r.at("change").(float64) < 1 {
		t.Errorf("receipt: %s", r.text)
	}
	if _, err := in.JWTs.VerifyJWT(t.Context(), in.Default, nil, tok, netip.Addr{}); err == nil {
		t.Error("a token of the distrusted key still works")
	}
	root.do("POST", "/v1/signing-keys/"+active+"/seal", nil).want(200)
	if e := root.do("GET", "/v1/audit?action=signing_key.*", nil).want(200); e.text_("items.0.target") != active {
		t.Errorf("audit: %s", e.text)
	}
}

// Where an administrator calls from is personal: it is shown on request only,
// and not at all once the person has been erased.
func TestPersonalFields(t *testing.T) {
	t.Parallel()
	in, root := setup(t)
	root.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in.Handler.ServeHTTP(w, r.WithContext(inbound.With(r.Context(), &inbound.Facts{
			Remote: netip.MustParseAddr("192.0.2.77"), RequestID: "req_marked",
		})))
	})
	root.do("POST", "/v1/users", m{"name": "ada"}).want(201)
	plain := root.do("GET", "/v1/audit?action=principal.create", nil).want(200)
	if strings.Contains(plain.text, "192.0.2.77") || plain.text_("items.0.request") != "req_marked" {
		t.Errorf("audit: %s", plain.text)
	}
	shown := root.do("GET", "/v1/audit?action=principal.create&reveal=true", nil).want(200)
	if shown.text_("items.0.personal.source") != "192.0.2.77" {
		t.Errorf("audit: %s", shown.text)
	}
	self := root.do("GET", "/v1/self", nil).text_("principal")
	eraser := in.Scribe.Protector.(interface {
		ErasePerson(ctx context.Context, tenant, who string) error
	})
	if err := eraser.ErasePerson(t.Context(), in.Default.ID, self); err != nil {
		t.Fatal(err)
	}
	erased := root.do("GET", "/v1/audit?action=principal.create&reveal=true", nil).want(200)
	if strings.Contains(erased.text, "192.0.2.77") || erased.at("items.0.erased") != true {
		t.Errorf("audit: %s", erased.text)
	}
}

// A constraint on networks holds for administrators as for anybody.
func TestNetworksOfAdministrators(t *testing.T) {
	t.Parallel()
	in, root := setup(t)
	from := func(addr string) as {
		c := root
		c.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			in.Handler.ServeHTTP(w, r.WithContext(inbound.With(r.Context(), &inbound.Facts{Remote: netip.MustParseAddr(addr)})))
		})
		return c
	}
	id := from("192.0.2.77").do("GET", "/v1/credentials", nil).want(200).text_("items.0.id")
	from("192.0.2.77").do("PATCH", "/v1/credentials/"+id, m{"constraints": m{"networks": []string{"10.0.0.0/8"}}}).want(200)
	from("192.0.2.77").do("GET", "/v1/self", nil).want(401)
	from("10.1.2.3").do("GET", "/v1/self", nil).want(200)
}

// A method that is switched off for the API lets nobody in by it, at once.
func TestMethodOff(t *testing.T) {
	t.Parallel()
	_, root := setup(t)
	root.do("POST", "/v1/methods/off", m{"dialect": adminapi.Dialect, "method": "api_key"}).want(200)
	root.do("GET", "/v1/self", nil).want(401)
}
