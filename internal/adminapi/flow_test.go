package adminapi_test

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse.dev/internal/id"
	"gatehouse.dev/internal/secret"
)

// The receipt counts exactly the conns that rested on what was revoked.
func TestRevokeCredential(t *testing.T) {
	t.Parallel()
	in, root := setup(t)
	p := in.User(in.Default, "ada")
	mine, other := in.Key(p), in.Key(p)
	var ended, spared []*atomic.Bool
	for range 5 {
		_, e := in.Open(in.Default, p, mine.Credential.ID)
		_, s := in.Open(in.Default, p, other.Credential.ID)
		ended, spared = append(ended, e), append(spared, s)
	}
	r := root.do("POST", "/v1/credentials/"+mine.Credential.ID+"/revoke", nil).want(200)
	if r.at("change").(float64) < 1 || r.text_("nodes.0.node") != "node-1" || r.at("nodes.0.sockets_closed") != 5.0 ||
		r.at("nodes.0.ms").(float64) < 0 || len(r.at("unreached").([]any)) != 0 {
		t.Errorf("receipt: %s", r.text)
	}
	for i := range 5 {
		if !ended[i].Load() || spared[i].Load() {
			t.Errorf("conn %d: ended %v, the other's %v", i, ended[i].Load(), spared[i].Load())
		}
	}
	more := root.do("GET", strings.TrimPrefix(r.text_("more"), "/api"), nil).want(200)
	if more.text != r.text {
		t.Errorf("the rest is %s, the receipt was %s", more.text, r.text)
	}
	if got := root.do("GET", "/v1/credentials/"+mine.Credential.ID, nil).want(200); got.text_("state") != "revoked" {
		t.Errorf("credential: %s", got.text)
	}
	root.do("POST", "/v1/credentials/"+mine.Credential.ID+"/enable", nil).want(409)
	root.do("POST", "/v1/credentials/"+mine.Credential.ID+"/rotate", m{}).want(409)
}

func TestReceiptsArePrivate(t *testing.T) {
	t.Parallel()
	in, root := setup(t)
	acme := in.Tenant("acme")
	admin := root.with(in.Admin(acme, "boss"))
	key := in.Key(in.User(acme, "x"))
	his := admin.do("POST", "/v1/credentials/"+key.Credential.ID+"/revoke?tenant=acme", nil).want(200)
	admin.do("GET", strings.TrimPrefix(his.text_("more"), "/api")+"?tenant=acme", nil).want(200)
	foreign := root.do("POST", "/v1/credentials/"+in.Key(in.User(in.Default, "y")).Credential.ID+"/revoke", nil).want(200)
	admin.do("GET", strings.TrimPrefix(foreign.text_("more"), "/api")+"?tenant=acme", nil).want(404)
	root.do("GET", strings.TrimPrefix(his.text_("more"), "/api"), nil).want(200)
}

func TestCredentialLife(t *testing.T) {
	t.Parallel()
	in, root := setup(t)
	client := root.do("POST", "/v1/clients", m{"name": "Nightly", "comment": "job", "reuse_window": "30s"}).want(201)
	if client.text_("reuse_window") != "30s" || client.text_("name") != "Nightly" || !strings.HasPrefix(client.text_("id"), "cli_") {
		t.Errorf("client: %s", client.text)
	}
	made := root.do("POST", "/v1/credentials", m{
		"principal": client.text_("id"), "kind": "key_pair", "dialect": "ayyeka", "comment": "first", "networks": []string{"10.1.2.3/8", "192.0.2.1"},
		"users": []string{"wallboard", "Lobby"},
	}).want(201)
	text, cred := made.text_("secret"), made.text_("credential.id")
	if !secret.IsUpperHex(16, made.text_("credential.key")) || !secret.IsBase64(32, secret.New(text)) {
		t.Errorf("pair: %s", made.text)
	}
	shown := root.do("GET", "/v1/credentials/"+cred, nil).want(200)
	if strings.Contains(shown.text, text) {
		t.Error("the secret is shown again")
	}
	if shown.text_("networks.0") != "10.0.0.0/8" || shown.text_("networks.1") != "192.0.2.1/32" || shown.at("secrets.0.live") != true ||
		shown.text_("users.0") != "Lobby" || shown.text_("users.1") != "wallboard" || !strings.HasPrefix(shown.text_("created_by"), "usr_") {
		t.Errorf("credential: %s", shown.text)
	}

	// Rotation with overlap: two live secrets, the old one with an end.
	turned := root.do("POST", "/v1/credentials/"+cred+"/rotate", m{"overlap": "2h"}).want(200)
	if turned.text_("secret") == text || turned.text_("credential.key") != made.text_("credential.key") {
		t.Errorf("rotated: %s", turned.text)
	}
	end, err := time.Parse(time.RFC3339, turned.text_("old_secrets_end"))
	if err != nil || time.Until(end) < 119*time.Minute || time.Until(end) > 121*time.Minute {
		t.Errorf("old secrets end %v, %v", end, err)
	}
	secrets := root.do("GET", "/v1/credentials/"+cred, nil).at("secrets").([]any)
	live := 0
	for _, s := range secrets {
		if s.(m)["live"] == true {
			live++
		}
	}
	if len(secrets) != 2 || live != 2 {
		t.Errorf("%d secrets, %d live", len(secrets), live)
	}
	// Without overlap the old ones end at once, and there is a receipt.
	now := root.do("POST", "/v1/credentials/"+cred+"/rotate", m{"overlap": "0s"}).want(200)
	if now.at("change").(float64) < 1 || now.text_("nodes.0.node") != "node-1" {
		t.Errorf("no receipt: %s", now.text)
	}
	root.do("POST", "/v1/credentials/"+cred+"/rotate", m{"overlap": "-1s"}).want(422)
	root.do("POST", "/v1/credentials/"+cred+"/rotate", m{"password": "correct horse battery"}).want(422)

	// One secret can go alone.
	r := root.do("POST", "/v1/credentials/"+cred+"/secrets/"+now.text_("secret_id")+"/revoke", nil).want(200)
	if r.at("change").(float64) < 1 {
		t.Errorf("receipt: %s", r.text)
	}

	// Comment and constraints; null constraints take them all away.
	root.do("PATCH", "/v1/credentials/"+cred, m{"comment": "second", "constraints": m{}}).want(200)
	after := root.do("GET", "/v1/credentials/"+cred, nil).want(200)
	if after.text_("comment") != "second" || after.at("networks") != nil || after.at("users") != nil {
		t.Errorf("credential: %s", after.text)
	}
	root.do("PATCH", "/v1/credentials/"+cred, m{"constraints": m{"expires": "2020-01-01T00:00:00Z"}}).want(422)
	root.do("POST", "/v1/credentials/"+cred+"/disable", nil).want(200)
	if got := root.do("POST", "/v1/credentials/"+cred+"/enable", nil).want(200); got.text_("state") != "enabled" {
		t.Errorf("credential: %s", got.text)
	}

	// A password that its owner brought along is not repeated.
	u := in.User(in.Default, "ada")
	pw := root.do("POST", "/v1/credentials", m{"principal": u.ID, "kind": "password", "password": "correct horse battery"}).want(201)
	if pw.at("secret") != nil || pw.text_("credential.key") != "ada" || strings.Contains(pw.text, "horse") {
		t.Errorf("password: %s", pw.text)
	}
	root.do("POST", "/v1/credentials", m{"principal": u.ID, "kind": "password"}).want(409)
	if made := root.do("POST", "/v1/credentials/"+pw.text_("credential.id")+"/rotate", m{}).want(200); len(made.text_("secret")) != 20 {
		t.Errorf("made password: %s", made.text)
	}
}

func TestPrincipalLife(t *testing.T) {
	t.Parallel()
	in, root := setup(t)
	for _, kind := range []string{"users", "clients", "applications", "devices", "bearers"} {
		made := root.do("POST", "/v1/"+kind, m{"name": "Thing", "display_name": "A thing"}).want(201)
		path := "/v1/" + kind + "/" + made.text_("id")
		root.do("PATCH", path, m{"comment": "changed"}).want(200)
		got := root.do("GET", path, nil).want(200)
		if got.text_("comment") != "changed" || got.text_("display_name") != "A thing" || got.at("enabled") != true {
			t.Errorf("%s: %s", kind, got.text)
		}
		if list := root.do("GET", "/v1/"+kind+"?name=thing", nil).want(200); kind == "users" && list.text_("items.0.id") != made.text_("id") {
			t.Errorf("%s by name: %s", kind, list.text)
		}
		root.do("POST", path+"/roles/grant", m{"role": "gatehouse/auditor"}).want(200)
		if got := root.do("GET", path, nil); got.text_("roles.0") != "gatehouse/auditor" {
			t.Errorf("%s: %s", kind, got.text)
		}
		root.do("POST", path+"/roles/remove", m{"role": "gatehouse/auditor"}).want(200)
		if r := root.do("POST", path+"/end-tokens", nil).want(200); r.at("change").(float64) < 1 {
			t.Errorf("%s: %s", kind, r.text)
		}
		if got := root.do("GET", path, nil); got.at("tokens_not_before") == nil || len(got.at("roles").([]any)) != 0 {
			t.Errorf("%s: %s", kind, got.text)
		}
		root.do("DELETE", path, nil).want(200)
		root.do("GET", path, nil).want(404)
	}

	u := in.User(in.Default, "ada")
	_, ended := in.Open(in.Default, u, "cre_x")
	r := root.do("POST", "/v1/users/"+u.ID+"/disable", nil).want(200)
	if r.at("nodes.0.sockets_closed") != 1.0 || !ended.Load() {
		t.Errorf("disable: %s", r.text)
	}
	if got := root.do("POST", "/v1/users/"+u.ID+"/enable", nil).want(200); got.at("enabled") != true {
		t.Errorf("enable: %s", got.text)
	}
}

func TestPaging(t *testing.T) {
	t.Parallel()
	in, root := setup(t)
	want := map[string]bool{}
	for i := range 7 {
		p := in.User(in.Default, "user"+string(rune('a'+i)))
		want[p.ID] = true
	}
	seen := map[string]bool{}
	path, pages := "/v1/users?limit=3", 0
	for next := ""; ; pages++ {
		r := root.do("GET", path+next, nil).want(200)
		for _, item := range r.at("items").([]any) {
			id := item.(m)["id"].(string)
			if seen[id] {
				t.Errorf("%s came twice", id)
			}
			seen[id] = true
		}
		if r.at("next") == nil {
			break
		}
		next = "&after=" + r.text_("next")
	}
	if len(seen) != 8 || pages != 2 { // and root
		t.Errorf("%d users on %d pages", len(seen), pages+1)
	}
	for id := range want {
		if !seen[id] {
			t.Errorf("%s is missing", id)
		}
	}
}

func TestConns(t *testing.T) {
	t.Parallel()
	in, root := setup(t)
	u := in.User(in.Default, "ada")
	one, ended := in.Open(in.Default, u, "cre_1")
	_, spared := in.Open(in.Default, u, "cre_2")
	list := root.do("GET", "/v1/conns?principal="+u.ID, nil).want(200)
	if len(list.at("items").([]any)) != 2 {
		t.Errorf("conns: %s", list.text)
	}
	got := root.do("GET", "/v1/conns/"+one, nil).want(200)
	if got.text_("name") != "ada" || got.text_("route") != "feed" || got.text_("kind") != "websocket" {
		t.Errorf("conn: %s", got.text)
	}
	if got.at("grounds.2.kind") != "credential" || got.at("grounds.2.id") != "cre_1" || got.at("queued") != 0.0 {
		t.Errorf("what the conn rests on: %s", got.text)
	}
	r := root.do("POST", "/v1/conns/"+one+"/close", nil).want(200)
	if r.at("nodes.0.sockets_closed") != 1.0 || !ended.Load() || spared.Load() {
		t.Errorf("close: %s", r.text)
	}
	root.do("GET", "/v1/conns/"+one, nil).want(404)
	root.do("POST", "/v1/conns/"+id.New("con")+"/close", nil).want(404)
	if e := root.do("GET", "/v1/audit?action=conn.close", nil).want(200); e.text_("items.0.target") != one {
		t.Errorf("audit: %s", e.text)
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	_, root := setup(t)
	r := root.do("POST", "/v1/methods/off", m{"dialect": "gateway", "method": "password"}).want(200)
	if r.at("change").(float64) < 1 {
		t.Errorf("receipt: %s", r.text)
	}
	list := root.do("GET", "/v1/methods", nil).want(200)
	if list.text_("items.0.dialect") != "gateway" || list.text_("items.0.method") != "password" {
		t.Errorf("methods: %s", list.text)
	}
	root.do("POST", "/v1/methods/off", m{"dialect": "Gate way", "method": "password"}).want(422)
	root.do("POST", "/v1/methods/on", m{"dialect": "gateway", "method": "password"}).want(204)
	if list := root.do("GET", "/v1/methods", nil).want(200); len(list.at("items").([]any)) != 0 {
		t.Errorf("methods: %s", list.text)
	}
}

func TestAudit(t *testing.T) {
	t.Parallel()
	in, root := setup(t)
	self := root.do("GET", "/v1/self", nil).text_("principal")
	p := root.do("POST", "/v1/users", m{"name": "ada"}).want(201).text_("id")
	root.do("POST", "/v1/users/"+p+"/disable", nil).want(200)
	r := root.do("GET", "/v1/audit?actor="+self, nil).want(200)
	var actions []string
	for _, e := range r.at("items").([]any) {
		actions = append(actions, e.(m)["action"].(string))
	}
	if want := []string{"principal.disable", "principal.create"}; !slices.Equal(actions, want) {
		t.Errorf("actions, newest first: %v, want %v", actions, want)
	}
	if r.text_("items.0.target") != p || r.text_("items.0.tenant") != in.Default.ID || r.text_("items.0.dialect") != "adminapi" {
		t.Errorf("event: %s", r.text)
	}
	if one := root.do("GET", "/v1/audit?limit=1&action=principal.*&order=oldest", nil).want(200); one.at("next") == nil || len(one.at("items").([]any)) != 1 {
		t.Errorf("page: %s", one.text)
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		v := root.do("GET", "/v1/audit/verify", nil).want(200)
		if v.at("ok") != true {
			t.Fatalf("verify: %s", v.text)
		}
		if v.at("unsealed") == 0.0 && v.at("rows").(float64) >= 4 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("rows are never chained: %s", v.text)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
