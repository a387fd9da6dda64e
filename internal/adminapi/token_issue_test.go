package adminapi_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/secret"
)

func TestIssueToken(t *testing.T) {
	t.Parallel()
	in, root := setup(t)
	ada := in.User(in.Default, "ada")
	key := in.Key(ada)
	show := func(text, dialect string) (*identity.Identity, error) {
		return in.Door.Check(t.Context(), authn.Attempt{Tenant: in.Default, Dialect: dialect, Method: identity.Opaque, Secret: secret.New(text)})
	}

	free := root.do("POST", "/v1/tokens", m{"principal": ada.ID, "scopes": []string{"a:b", "c"}}).want(200)
	id, err := show(free.text_("token"), "gateway")
	if err != nil || id.Principal != ada.ID || !slices.Equal(id.Scopes, []string{"a:b", "c"}) || id.Credential != "" {
		t.Fatalf("believed as %+v, %v", id, err)
	}
	if life := time.Until(id.Expires); life < 59*time.Minute || life > time.Hour {
		t.Errorf("lives %v", life)
	}
	list := root.do("GET", "/v1/tokens?principal="+ada.ID, nil).want(200)
	if !strings.Contains(list.text, free.text_("id")) || strings.Contains(list.text, free.text_("token")) {
		t.Errorf("list: %s", list.text)
	}
	// Who made it stands in the audit record, and the token does not.
	record := root.do("GET", "/v1/audit?action=token.issue", nil).want(200)
	if !strings.Contains(record.text, free.text_("id")) || strings.Contains(record.text, free.text_("token")) {
		t.Errorf("audit: %s", record.text)
	}

	// On a credential, for one dialect: it ends with the credential.
	bound := root.do("POST", "/v1/tokens", m{"credential": key.Credential.ID, "unscoped": true, "audience": []string{"acqueon"}, "lifetime": "5m"}).want(200)
	if id, err = show(bound.text_("token"), "acqueon"); err != nil || id.Credential != key.Credential.ID || id.Scopes != nil {
		t.Fatalf("believed as %+v, %v", id, err)
	}
	if _, err := show(bound.text_("token"), "gateway"); err == nil {
		t.Error("a token for one dialect is believed in another")
	}
	root.do("POST", "/v1/credentials/"+key.Credential.ID+"/revoke", nil).want(200)
	if _, err := show(bound.text_("token"), "acqueon"); err == nil {
		t.Error("a token outlives its credential")
	}
	root.do("POST", "/v1/tokens/"+free.text_("id")+"/revoke?principal="+ada.ID, nil).want(200)
	if _, err := show(free.text_("token"), "gateway"); err == nil {
		t.Error("a token outlives its revocation")
	}
}

func TestIssueTokenRefused(t *testing.T) {
	t.Parallel()
	in, root := setup(t)
	ada, bob := in.User(in.Default, "ada"), in.User(in.Default, "bob")
	key := in.Key(ada)
	for name, body := range map[string]m{
		"NoScope":      {"principal": ada.ID},
		"Both":         {"principal": ada.ID, "unscoped": true, "scopes": []string{"a"}},
		"BadScope":     {"principal": ada.ID, "scopes": []string{"a b"}},
		"BadAudience":  {"principal": ada.ID, "unscoped": true, "audience": []string{"https://x"}},
		"NoTime":       {"principal": ada.ID, "unscoped": true, "lifetime": "0s"},
		"TooLong":      {"principal": ada.ID, "unscoped": true, "lifetime": "9000h"},
		"Nobody":       {"unscoped": true},
		"OthersSecret": {"principal": bob.ID, "credential": key.Credential.ID, "unscoped": true},
	} {
		t.Run(name, func(t *testing.T) { root.do("POST", "/v1/tokens", body).want(422) })
	}
	// A token is a way to become somebody: not for those below him.
	owner := in.User(in.Default, "owner", principal.InstallationRole)
	local := root.with(in.Admin(in.Default, "local"))
	local.do("POST", "/v1/tokens", m{"principal": owner.ID, "unscoped": true}).want(403)
}
