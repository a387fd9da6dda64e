package adminapi_test

import "testing"

func TestPolicy(t *testing.T) {
	t.Parallel()
	in, root := setup(t)
	u := in.User(in.Default, "ada")
	first := root.do("GET", "/v1/policy", nil).want(200)
	if first.at("version") != 0.0 || first.text_("in_force.policies.0.id") != "gatehouse/administrator" {
		t.Errorf("policy: %s", first.text)
	}
	const text = `@id("crew") permit (principal in Role::"crew", action == Action::"boat:sail", resource);`
	roles := []m{{"name": "crew"}, {"name": "captain", "includes": []string{"crew"}}}

	bad := root.do("POST", "/v1/policy/check", m{"cedar": "permit (principal, action, resource)\nforbid;"}).want(200)
	if bad.at("ok") != false || bad.at("errors.0.line") != 2.0 {
		t.Errorf("check: %s", bad.text)
	}
	cycle := root.do("POST", "/v1/policy/check", m{"cedar": "", "roles": []m{{"name": "a", "includes": []string{"a"}}}}).want(200)
	if cycle.at("ok") != false || cycle.text_("errors.0.message") != `role "a" includes itself: a → a` {
		t.Errorf("check: %s", cycle.text)
	}
	if good := root.do("POST", "/v1/policy/check", m{"cedar": text, "roles": roles}).want(200); good.at("ok") != true {
		t.Errorf("check: %s", good.text)
	}
	if r := root.do("PUT", "/v1/policy", m{"version": 0, "cedar": "nonsense"}).want(422); r.text_("errors.0.location") != "body.cedar" {
		t.Errorf("put: %s", r.text)
	}
	put := root.do("PUT", "/v1/policy", m{"version": 0, "cedar": text, "roles": roles}).want(200)
	if put.at("version") != 1.0 || put.at("change").(float64) < 1 {
		t.Errorf("put: %s", put.text)
	}
	// Somebody else was faster.
	root.do("PUT", "/v1/policy", m{"version": 0, "cedar": text}).want(409)
	if got := root.do("GET", "/v1/policy", nil).want(200); got.at("version") != 1.0 || got.text_("cedar") != text || got.text_("roles.1.includes.0") != "crew" {
		t.Errorf("policy: %s", got.text)
	}

	ask := m{"principal": u.ID, "action": "boat:sail", "resource": m{"type": "Boat", "id": "1"}}
	if x := root.do("POST", "/v1/policy/explain", ask).want(200); x.at("allowed") != false {
		t.Errorf("explain: %s", x.text)
	}
	root.do("POST", "/v1/users/"+u.ID+"/roles/grant", m{"role": "captain"}).want(200)
	x := root.do("POST", "/v1/policy/explain", ask).want(200)
	if x.at("allowed") != true || x.text_("reasons.0") != "crew" || x.text_("roles.1") != "crew" {
		t.Errorf("explain: %s", x.text)
	}
	ask["scopes"] = []string{"boat:moor"}
	if x := root.do("POST", "/v1/policy/explain", ask).want(200); x.at("allowed") != false {
		t.Errorf("explain with a scope: %s", x.text)
	}
	ask["source"] = "somewhere"
	root.do("POST", "/v1/policy/explain", ask).want(422)
}
