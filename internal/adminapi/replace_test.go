package adminapi_test

import (
	"strings"
	"testing"
	"time"
)

// A fresh set is a new pair; the old one lives on for the overlap, or is revoked.
func TestReplaceCredential(t *testing.T) {
	t.Parallel()
	_, root := setup(t)
	client := root.do("POST", "/v1/clients", m{"name": "wallboard"}).want(201)
	made := root.do("POST", "/v1/credentials", m{
		"principal": client.text_("id"), "kind": "key_pair", "comment": "lobby", "users": []string{"wallboard"},
	}).want(201)
	old := "/v1/credentials/" + made.text_("credential.id")

	next := root.do("POST", old+"/replace", m{"overlap": "2h"}).want(201)
	for _, half := range []string{"credential.id", "credential.key", "secret"} {
		if next.text_(half) == made.text_(half) || next.text_(half) == "" {
			t.Errorf("%s is %q, as before", half, next.text_(half))
		}
	}
	if next.text_("credential.users.0") != "wallboard" || next.text_("credential.comment") != "lobby" ||
		next.text_("replaces") != made.text_("credential.id") || next.at("change").(float64) < 1 {
		t.Errorf("replaced: %s", next.text)
	}
	shown := root.do("GET", old, nil).want(200)
	if strings.Contains(shown.text, next.text_("secret")) || shown.text_("state") != "enabled" {
		t.Errorf("the old one: %s", shown.text)
	}
	end, err := time.Parse(time.RFC3339, shown.text_("expires"))
	if err != nil || time.Until(end) < 119*time.Minute || time.Until(end) > 121*time.Minute {
		t.Errorf("the old one ends %v, %v", end, err)
	}

	root.do("POST", old+"/replace", m{"overlap": "0s"}).want(201)
	shown = root.do("GET", old, nil).want(200)
	if shown.text_("state") != "revoked" || shown.text_("revoked") == "" {
		t.Errorf("the old one: %s", shown.text)
	}
	root.do("POST", old+"/replace", m{}).want(409)
	root.do("POST", "/v1/credentials/"+next.text_("credential.id")+"/replace", m{"overlap": "100000h"}).want(422)
}
