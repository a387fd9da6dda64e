package adminapi_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gatehouse.dev/internal/adminapi"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/token"
)

func TestWhoMayComeIn(t *testing.T) {
	t.Parallel()
	in, root := setup(t)
	wrong := secret.Generate("ghk_")
	revoked := in.Key(in.User(in.Default, "gone", "gatehouse/administrator"))
	root.do("POST", "/v1/credentials/"+revoked.Credential.ID+"/revoke", nil).want(200)

	for name, header := range map[string][]string{
		"none":         nil,
		"unknown":      {"Bearer " + wrong.Reveal()},
		"revoked":      {"Bearer " + revoked.Text.Reveal()},
		"another word": {"Basic " + root.key.Reveal()},
		"bare":         {root.key.Reveal()},
		"empty":        {"Bearer "},
		"twice":        {"Bearer " + root.key.Reveal(), "Bearer " + root.key.Reveal()},
	} {
		req := httptest.NewRequestWithContext(t.Context(), "GET", "/api/v1/self", nil)
		for _, h := range header {
			req.Header.Add("Authorization", h)
		}
		r := root.send(req).want(401)
		if got := r.header.Get("Www-Authenticate"); got != `Bearer realm="gatehouse admin"` {
			t.Errorf("%s: WWW-Authenticate = %q", name, got)
		}
		if r.text_("detail") != "show the API key of an administrator as bearer token" {
			t.Errorf("%s: says %q: all refusals look the same", name, r.text_("detail"))
		}
	}
	req := httptest.NewRequestWithContext(t.Context(), "GET", "/api/v1/self", nil)
	req.Header.Set("Authorization", "bearer  "+root.key.Reveal())
	r := root.send(req).want(200)
	if r.text_("name") != "root" || r.at("installation") != true || r.text_("tenant.name") != "default" {
		t.Errorf("self: %s", r.text)
	}
	if cc := r.header.Get("Cache-Control"); cc != "no-store" {
		t.Errorf("Cache-Control = %q", cc)
	}
	for name := range r.header {
		if strings.HasPrefix(name, "Access-Control") || name == "Set-Cookie" {
			t.Errorf("answer has %s", name)
		}
	}
}

func TestRolesDecide(t *testing.T) {
	t.Parallel()
	in, root := setup(t)
	auditor := root.with(in.Admin(in.Default, "looker", "gatehouse/auditor"))
	nobody := root.with(in.Key(in.User(in.Default, "nobody")).Text)
	admin := root.with(in.Admin(in.Default, "plain"))

	auditor.do("GET", "/v1/users", nil).want(200)
	auditor.do("POST", "/v1/users", m{"name": "x"}).want(403)
	nobody.do("GET", "/v1/users", nil).want(403)
	admin.do("POST", "/v1/users", m{"name": "x"}).want(201)

	// A tenant can make roles of its own for administration.
	root.do("PUT", "/v1/policy", m{
		"version": 0, "roles": []m{{"name": "helpdesk"}},
		"cedar": `permit (principal in Role::"helpdesk", action in [Action::"admin:read:principals", Action::"admin:write:credentials"], resource);`,
	}).want(200)
	helper := root.with(in.Admin(in.Default, "helper", "helpdesk"))
	helper.do("GET", "/v1/users", nil).want(200)
	helper.do("POST", "/v1/users", m{"name": "y"}).want(403)
	helper.do("GET", "/v1/policy", nil).want(403)
}

// Who may do a part of a tenant's administration cannot make it the whole.
func TestPartIsNotTheWhole(t *testing.T) {
	t.Parallel()
	in, root := setup(t)
	acme := in.Tenant("acme")
	root.do("PUT", "/v1/policy?tenant=acme", m{
		"version": 0,
		"roles":   []m{{"name": "helpdesk"}, {"name": "chief", "includes": []string{"gatehouse/administrator"}}},
		"cedar": `permit (principal in Role::"helpdesk", action in [
			Action::"admin:write:principals", Action::"admin:write:credentials", Action::"admin:write:roles"], resource);`,
	}).want(200)
	helper := root.with(in.Admin(acme, "helper", "helpdesk"))
	boss := in.User(acme, "boss", "gatehouse/administrator")
	chief, own := in.User(acme, "chief", "chief"), in.User(acme, "own", "helpdesk")
	key := in.Key(boss)

	helper.do("POST", "/v1/credentials?tenant=acme", m{"principal": own.ID, "kind": "api_key"}).want(201)
	helper.do("POST", "/v1/users?tenant=acme", m{"name": "x", "roles": []string{"helpdesk"}}).want(201)
	for _, p := range []string{boss.ID, chief.ID} {
		helper.do("POST", "/v1/credentials?tenant=acme", m{"principal": p, "kind": "api_key"}).want(403)
		helper.do("POST", "/v1/users/"+p+"/disable?tenant=acme", nil).want(403)
	}
	helper.do("POST", "/v1/credentials/"+key.Credential.ID+"/rotate?tenant=acme", m{}).want(403)
	for _, role := range []string{"gatehouse/administrator", "gatehouse/auditor", "chief", "chief@Organization:1"} {
		helper.do("POST", "/v1/users?tenant=acme", m{"name": "y", "roles": []string{role}}).want(403)
		helper.do("POST", "/v1/users/"+own.ID+"/roles/grant?tenant=acme", m{"role": role}).want(403)
	}
	for line, imported := range map[string]float64{
		`{"kind":"api_key","name":"w","secret":"a-key-long-enough-to-be-imported-0"}`:                                     1,
		`{"kind":"api_key","name":"z","secret":"a-key-long-enough-to-be-imported-1","roles":["gatehouse/administrator"]}`: 0,
		`{"kind":"password","name":"boss","secret":"a password of the helper's"}`:                                         0,
	} {
		r := helper.do("POST", "/v1/import?tenant=acme", m{"format": "jsonl", "lines": []string{line}}).want(200)
		if r.at("imported").(float64) != imported {
			t.Errorf("import of %s: %s", line, r.text)
		}
	}
	// An administrator may do all of it.
	root.with(key.Text).do("POST", "/v1/credentials?tenant=acme", m{"principal": chief.ID, "kind": "api_key"}).want(201)
}

// An administrator of one tenant must not see or touch another. What is there
// looks exactly like what is not.
func TestTenantsAreApart(t *testing.T) {
	t.Parallel()
	in, root := setup(t)
	acme, other := in.Tenant("acme"), in.Tenant("other")
	admin := root.with(in.Admin(acme, "boss"))
	victim := in.User(other, "victim")
	key := in.Key(victim)
	own := in.User(acme, "own")
	ownKey := in.Key(own)
	conn, _ := in.Open(other, victim, key.Credential.ID)

	// Without ?tenant= the key of another tenant than the default one is unknown.
	admin.do("GET", "/v1/self", nil).want(401)
	if r := admin.do("GET", "/v1/self?tenant=acme", nil).want(200); r.at("installation") != false || r.text_("tenant.id") != acme.ID {
		t.Errorf("self: %s", r.text)
	}
	admin.do("GET", "/v1/self?tenant="+acme.ID, nil).want(200)
	admin.do("GET", "/v1/users/"+own.ID+"?tenant=acme", nil).want(200)
	admin.do("POST", "/v1/credentials/"+ownKey.Credential.ID+"/disable?tenant=acme", nil).want(200)

	absent := admin.do("GET", "/v1/users/usr_absent?tenant=acme", nil).want(404)
	for _, c := range []struct{ method, path string }{
		{"GET", "/v1/users/" + victim.ID},
		{"PATCH", "/v1/users/" + victim.ID},
		{"DELETE", "/v1/users/" + victim.ID},
		{"POST", "/v1/users/" + victim.ID + "/disable"},
		{"POST", "/v1/users/" + victim.ID + "/enable"},
		{"POST", "/v1/users/" + victim.ID + "/end-tokens"},
		{"POST", "/v1/users/" + victim.ID + "/roles/grant"},
		{"POST", "/v1/users/" + victim.ID + "/roles/remove"},
		{"GET", "/v1/credentials/" + key.Credential.ID},
		{"PATCH", "/v1/credentials/" + key.Credential.ID},
		{"POST", "/v1/credentials/" + key.Credential.ID + "/revoke"},
		{"POST", "/v1/credentials/" + key.Credential.ID + "/disable"},
		{"POST", "/v1/credentials/" + key.Credential.ID + "/enable"},
		{"POST", "/v1/credentials/" + key.Credential.ID + "/rotate"},
		{"POST", "/v1/credentials/" + key.Credential.ID + "/secrets/" + key.Secret.ID + "/revoke"},
		{"POST", "/v1/credentials/" + ownKey.Credential.ID + "/secrets/" + key.Secret.ID + "/revoke"},
		{"GET", "/v1/conns/" + conn},
		{"POST", "/v1/conns/" + conn + "/close"},
	} {
		var body any
		switch {
		case strings.Contains(c.path, "/roles/"):
			body = m{"role": "gatehouse/administrator"}
		case c.method == "PATCH", strings.HasSuffix(c.path, "/rotate"):
			body = m{}
		}
		if r := admin.do(c.method, c.path+"?tenant=acme", body).want(404); r.text != absent.text {
			t.Errorf("%s %s: %s, where what is absent says %s", c.method, c.path, r.text, absent.text)
		}
		// Naming the other tenant makes the own key unknown there.
		admin.do(c.method, c.path+"?tenant=other", body).want(401)
	}
	for _, path := range []string{"/v1/users", "/v1/credentials", "/v1/conns", "/v1/audit"} {
		if r := admin.do("GET", path+"?tenant=acme", nil).want(200); strings.Contains(r.text, victim.ID) || strings.Contains(r.text, other.ID) {
			t.Errorf("%s shows another tenant: %s", path, r.text)
		}
	}
	admin.do("POST", "/v1/credentials?tenant=acme", m{"principal": victim.ID, "kind": "api_key"}).want(404)
	admin.do("POST", "/v1/policy/explain?tenant=acme", m{"principal": victim.ID, "action": "a", "resource": m{"type": "T", "id": "1"}}).want(404)

	for _, c := range []struct{ method, path string }{
		{"GET", "/v1/tenants"}, {"POST", "/v1/tenants"}, {"GET", "/v1/tenants/acme"},
		{"POST", "/v1/tenants/other/disable"}, {"GET", "/v1/audit/verify"},
	} {
		if strings.HasPrefix(c.path, "/v1/tenants") {
			admin.do(c.method, c.path, m{"name": "x"}).want(401)
		}
		plain := root.with(in.Admin(in.Default, "plain-"+strings.ToLower(c.method)+strings.NewReplacer("/", "-").Replace(c.path)))
		plain.do(c.method, c.path, m{"name": "x"}).want(403)
	}
	if in.Index.Len() != 1 {
		t.Error("somebody closed the other tenant's conn")
	}

	// The installation's administrator reaches both, by name or by object.
	root.do("GET", "/v1/users?tenant=other", nil).want(200)
	root.do("GET", "/v1/users/"+victim.ID, nil).want(200)
	root.do("GET", "/v1/users/"+victim.ID+"?tenant=acme", nil).want(404)
	root.do("GET", "/v1/users?tenant=nowhere", nil).want(404)
	root.do("POST", "/v1/credentials/"+key.Credential.ID+"/revoke", nil).want(200)
}

// Holding the installation's role outside the default tenant, or through what a
// tenant's own rules include, opens nothing.
func TestInstallationRoleIsGuarded(t *testing.T) {
	t.Parallel()
	in, root := setup(t)
	acme := in.Tenant("acme")
	rootUser := root.do("GET", "/v1/users?name=ROOT", nil).want(200)
	rootID := rootUser.text_("items.0.id")
	rootKey := root.do("GET", "/v1/credentials?principal="+rootID, nil).text_("items.0.id")
	plain := root.with(in.Admin(in.Default, "plain"))

	// A plain administrator can neither take the role nor become its holder.
	self := plain.do("GET", "/v1/self", nil).text_("principal")
	plain.do("POST", "/v1/users/"+self+"/roles/grant", m{"role": "gatehouse/installation"}).want(403)
	plain.do("POST", "/v1/users", m{"name": "mine", "roles": []string{"gatehouse/installation"}}).want(403)
	plain.do("POST", "/v1/credentials", m{"principal": rootID, "kind": "api_key"}).want(403)
	plain.do("POST", "/v1/credentials/"+rootKey+"/rotate", m{}).want(403)
	plain.do("POST", "/v1/credentials/"+rootKey+"/revoke", nil).want(403)
	plain.do("POST", "/v1/users/"+rootID+"/disable", nil).want(403)
	plain.do("POST", "/v1/users/"+rootID+"/roles/remove", m{"role": "gatehouse/installation"}).want(403)
	plain.do("DELETE", "/v1/users/"+rootID, nil).want(403)
	plain.do("GET", "/v1/users/"+rootID, nil).want(200)
	plain.do("PUT", "/v1/policy", m{"version": 0, "cedar": "", "roles": []m{{"name": "sneaky", "includes": []string{"gatehouse/installation"}}}}).want(200)
	plain.do("POST", "/v1/users/"+self+"/roles/grant", m{"role": "sneaky"}).want(200)
	plain.do("GET", "/v1/tenants", nil).want(403)
	plain.do("GET", "/v1/users?tenant=acme", nil).want(404)

	// In another tenant it means nothing, so nobody can give it there.
	root.do("POST", "/v1/users?tenant=acme", m{"name": "x", "roles": []string{"gatehouse/installation"}}).want(422)
	stray := root.with(in.Admin(acme, "stray", "gatehouse/installation"))
	stray.do("GET", "/v1/tenants?tenant=acme", nil).want(422)
	stray.do("GET", "/v1/users?tenant=acme", nil).want(200)
	stray.do("GET", "/v1/tenants", nil).want(401)
	if r := stray.do("GET", "/v1/self?tenant=acme", nil).want(200); r.at("installation") != false {
		t.Errorf("self: %s", r.text)
	}
	stray.do("GET", "/v1/changes/1?tenant=acme", nil).want(404)

	// What he holds is not for others to end, whatever text or name they have of it.
	holder, err := in.Store.Principal(t.Context(), rootID)
	if err != nil {
		t.Fatal(err)
	}
	tok := in.JWT(in.Default, in.Key(holder))
	text, o, err := in.Opaques.(*token.OpaqueTokens).Issue(t.Context(), token.Opaque{Tenant: in.Default.ID, Principal: rootID}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	plain.do("POST", "/v1/tokens/revoke", m{"token": tok.Reveal()}).want(403)
	plain.do("POST", "/v1/tokens/revoke", m{"token": text.Reveal()}).want(403)
	plain.do("POST", "/v1/tokens/"+o.ID+"/revoke?principal="+rootID, nil).want(403)
	root.do("POST", "/v1/tokens/revoke", m{"token": tok.Reveal()}).want(200)
	root.do("POST", "/v1/tokens/revoke", m{"token": text.Reveal()}).want(200)

	// Its holder can pass it on, and take it back.
	root.do("POST", "/v1/users/"+self+"/roles/grant", m{"role": "gatehouse/installation"}).want(200)
	plain.do("GET", "/v1/tenants", nil).want(200)
	root.do("POST", "/v1/users/"+self+"/roles/remove", m{"role": "gatehouse/installation"}).want(200)
	plain.do("GET", "/v1/tenants", nil).want(403)
}

func TestDisabledTenant(t *testing.T) {
	t.Parallel()
	in, root := setup(t)
	acme := in.Tenant("acme")
	admin := root.with(in.Admin(acme, "boss"))
	admin.do("GET", "/v1/self?tenant=acme", nil).want(200)
	root.do("POST", "/v1/tenants/acme/disable", nil).want(200)
	admin.do("GET", "/v1/self?tenant=acme", nil).want(401)
	if r := root.do("GET", "/v1/tenants/"+acme.ID, nil).want(200); r.at("enabled") != false {
		t.Errorf("tenant: %s", r.text)
	}
	root.do("POST", "/v1/tenants/acme/enable", nil).want(200)
	admin.do("GET", "/v1/self?tenant=acme", nil).want(200)
}

func TestDialectName(t *testing.T) {
	t.Parallel()
	if adminapi.Dialect != "adminapi" {
		t.Error("methods that were switched off go by this name")
	}
}
