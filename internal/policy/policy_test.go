package policy_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/revocation"
)

// rules is a store with one set for every tenant, and the log beside it.
type rules struct {
	mu    sync.Mutex
	set   policy.Set
	err   error
	reads int
	n     int64 // position of the log
	gone  int64 // last change of the policy ground
}

func (r *rules) PolicySet(context.Context, string) (policy.Set, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reads++
	return r.set, r.err
}

func (r *rules) Position() revocation.Position {
	r.mu.Lock()
	defer r.mu.Unlock()
	return revocation.Position{N: r.n}
}

func (r *rules) Intact(_ []revocation.Ground, asOf revocation.Position) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.gone <= asOf.N
}

// change replaces the rules as another node would.
func (r *rules) change(cedar string, roles ...policy.Role) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
	r.gone = r.n
	r.set = policy.Set{Cedar: cedar, Roles: roles, Version: r.n}
}

var sites = policy.Part{
	Name: "sites",
	Roles: []policy.Role{
		{Name: "sites/none"},
		{Name: "sites/operator"},
		{Name: "sites/analyst", Includes: []string{"sites/operator"}},
		{Name: "sites/owner", Includes: []string{"sites/analyst"}},
	},
	Cedar: `@id("sites/read") permit (principal in Role::"sites/operator", action in Action::"site:read:*", resource);`,
}

func setup(t testing.TB, cedar string, roles ...policy.Role) (*policy.Engine, *rules) {
	t.Helper()
	r := &rules{set: policy.Set{Cedar: cedar, Roles: roles, Version: 1}}
	e, err := policy.New(r, r, sites)
	if err != nil {
		t.Fatal(err)
	}
	return e, r
}

func who(roles ...string) *identity.Identity {
	return &identity.Identity{
		Tenant: "ten_1", Principal: "usr_1", Kind: principal.User, Name: "ada",
		Roles: roles, Method: identity.Password, Dialect: "sites", Notes: new(identity.Notes),
	}
}

func scoped(id *identity.Identity, scopes ...string) *identity.Identity {
	c := *id
	c.Scopes = append([]string{}, scopes...)
	return &c
}

func read(id *identity.Identity) policy.Request {
	return policy.Request{Identity: id, Action: "site:read:list", Resource: policy.Resource{Type: "Site", ID: "4"}}
}

// decide asks three times, so that every answer is also seen from memory.
func decide(t testing.TB, e *policy.Engine, r policy.Request) policy.Decision {
	t.Helper()
	d, err := e.Decide(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		again, err := e.Decide(t.Context(), r)
		if err != nil || again.Allowed != d.Allowed || !slices.Equal(again.Reasons, d.Reasons) || len(again.Errors) != len(d.Errors) {
			t.Fatalf("asked again: %+v, %v; first: %+v", again, err, d)
		}
	}
	return d
}

func TestRoles(t *testing.T) {
	t.Parallel()
	e, _ := setup(t, "")
	for _, c := range []struct {
		roles []string
		want  bool
	}{
		{nil, false},
		{[]string{"sites/none"}, false},
		{[]string{"sites/operator"}, true},
		{[]string{"sites/analyst"}, true},
		{[]string{"sites/owner"}, true},
		{[]string{"sites/none", "sites/owner"}, true},
		{[]string{"gatehouse/administrator"}, false},
		{[]string{"nobody/knows"}, false},
	} {
		if d := decide(t, e, read(who(c.roles...))); d.Allowed != c.want {
			t.Errorf("%v: allowed = %v, want %v (%+v)", c.roles, d.Allowed, c.want, d)
		}
	}
	if d := decide(t, e, read(who("sites/owner"))); !slices.Equal(d.Reasons, []string{"sites/read"}) {
		t.Errorf("reasons = %v", d.Reasons)
	}
}

func TestRolesAtPlaces(t *testing.T) {
	t.Parallel()
	e, _ := setup(t, "")
	id := who("sites/analyst@Organization:12", "sites/none@Organization:13")
	at := func(parents ...policy.Parent) policy.Request {
		r := read(id)
		r.Resource.Parents = parents
		return r
	}
	org := func(n string) policy.Parent { return policy.Parent{Type: "Organization", ID: n} }
	for name, c := range map[string]struct {
		r    policy.Request
		want bool
	}{
		"its place":        {at(org("12")), true},
		"one of its":       {at(org("13"), org("12")), true},
		"another place":    {at(org("13")), false},
		"another type":     {at(policy.Parent{Type: "Account", ID: "12"}), false},
		"nowhere":          {at(), false},
		"the place itself": {policy.Request{Identity: id, Action: "site:read:list", Resource: policy.Resource{Type: "Organization", ID: "12"}}, true},
	} {
		if d := decide(t, e, c.r); d.Allowed != c.want {
			t.Errorf("%s: allowed = %v, want %v", name, d.Allowed, c.want)
		}
	}
	for _, bad := range []string{"sites/owner@", "sites/owner@Org", "sites/owner@Org:", "sites/owner@9:1", "@Org:1", "Sites/owner"} {
		d := decide(t, e, read(who("sites/owner", bad)))
		if d.Allowed || len(d.Errors) == 0 {
			t.Errorf("role %q: %+v, want an error that denies", bad, d)
		}
	}
}

func TestScopeNarrows(t *testing.T) {
	t.Parallel()
	e, _ := setup(t, `
		permit (principal in Scope::"everything", action in Action::"site:*", resource);
		permit (principal, action == Action::"site:ping", resource);`)
	owner, other := who("sites/owner"), who()
	for _, c := range []struct {
		name   string
		id     *identity.Identity
		action string
		want   bool
	}{
		{"not narrowed", owner, "site:read:list", true},
		{"empty is nothing", scoped(owner), "site:read:list", false},
		{"names the action", scoped(owner, "site:read:list"), "site:read:list", true},
		{"names its group", scoped(owner, "openid", "site:read:*"), "site:read:list", true},
		{"names the wide group", scoped(owner, "site:*"), "site:read:list", true},
		{"a policy gives the scope a meaning", scoped(owner, "everything"), "site:read:list", true},
		{"names another", scoped(owner, "site:read:one"), "site:read:list", false},
		{"is no beginning", scoped(owner, "site:read"), "site:read:list", false},
		{"the scope alone gives nothing", scoped(other, "site:*"), "site:read:list", false},
		{"what all may, a narrow token may not", scoped(owner, "site:read:*"), "site:ping", false},
		{"what all may, all may", other, "site:ping", true},
	} {
		r := read(c.id)
		r.Action = c.action
		if d := decide(t, e, r); d.Allowed != c.want {
			t.Errorf("%s: allowed = %v, want %v (%+v)", c.name, d.Allowed, c.want, d)
		}
	}
}

func TestForbidWins(t *testing.T) {
	t.Parallel()
	e, _ := setup(t, `@id("closed") forbid (principal, action, resource) when { resource.id_of == "4" };`)
	r := read(who("sites/owner"))
	r.Resource.Attrs = map[string]string{"id_of": "4"}
	if d := decide(t, e, r); d.Allowed || !slices.Equal(d.Reasons, []string{"closed"}) {
		t.Errorf("decision = %+v, want a refusal by closed", d)
	}
	r.Resource.Attrs = map[string]string{"id_of": "5"}
	if d := decide(t, e, r); !d.Allowed {
		t.Errorf("decision = %+v, want allowed: the attribute differs", d)
	}
}

func TestErrorsDeny(t *testing.T) {
	t.Parallel()
	e, _ := setup(t, `@id("odd") permit (principal, action, resource) when { resource.missing == "x" };`)
	d := decide(t, e, read(who("sites/owner")))
	if d.Allowed || len(d.Errors) != 1 || !strings.Contains(d.Errors[0], "policy odd:") {
		t.Errorf("decision = %+v, want an error of odd that denies though sites/read permits", d)
	}
	for name, r := range map[string]policy.Request{
		"no identity":  {Action: "a", Resource: policy.Resource{Type: "T"}},
		"no action":    {Identity: who("sites/owner"), Resource: policy.Resource{Type: "T"}},
		"no type":      {Identity: who("sites/owner"), Action: "site:read:x"},
		"odd type":     {Identity: who("sites/owner"), Action: "site:read:x", Resource: policy.Resource{Type: "A B"}},
		"type is ours": {Identity: who("sites/owner"), Action: "site:read:x", Resource: policy.Resource{Type: "Scope"}},
	} {
		if d := decide(t, e, r); d.Allowed || len(d.Errors) == 0 {
			t.Errorf("%s: %+v, want an error that denies", name, d)
		}
	}
}

func TestStoreFailureDenies(t *testing.T) {
	t.Parallel()
	e, r := setup(t, "")
	r.err = errors.New("disk on fire")
	d, err := e.Decide(t.Context(), read(who("sites/owner")))
	if err == nil || d.Allowed {
		t.Errorf("decision = %+v, %v; want a refusal and the error", d, err)
	}
	r.err = nil
	if d := decide(t, e, read(who("sites/owner"))); !d.Allowed {
		t.Errorf("the failure was remembered: %+v", d)
	}
}

// A country comes from the operator's database, and nowhere else.
func TestCountryCannotBeClaimed(t *testing.T) {
	t.Parallel()
	e, _ := setup(t, `@id("home") permit (principal, action == Action::"site:open", resource) when { context has country && context.country == "DE" };`)
	r := policy.Request{Identity: who(), Action: "site:open", Resource: policy.Resource{
		Type: "Site", ID: "DE", Attrs: map[string]string{"country": "DE", "geo": "DE"},
	}}
	if d := decide(t, e, r); d.Allowed {
		t.Error("a claimed country satisfied the rule")
	}
	r.Country = "FR"
	if d := decide(t, e, r); d.Allowed {
		t.Error("another country satisfied the rule")
	}
	r.Country = "DE"
	if d := decide(t, e, r); !d.Allowed {
		t.Error("the country did not satisfy the rule")
	}
}

func TestSourceAndMethod(t *testing.T) {
	t.Parallel()
	e, _ := setup(t, `
		permit (principal, action == Action::"a:net", resource) when { context has source && context.source.isInRange(ip("10.0.0.0/8")) };
		permit (principal, action == Action::"a:key", resource) when { context.method == "api_key" };
		permit (principal, action == Action::"a:ada", resource) when { principal.name == "ada" };`)
	ask := func(action, source string, m identity.Method) bool {
		id := who()
		id.Method = m
		r := policy.Request{Identity: id, Action: action, Resource: policy.Resource{Type: "T", ID: "1"}}
		if source != "" {
			r.Source = netip.MustParseAddr(source)
		}
		return decide(t, e, r).Allowed
	}
	for _, c := range []struct {
		action, source string
		method         identity.Method
		want           bool
	}{
		{"a:net", "10.1.2.3", "password", true},
		{"a:net", "::ffff:10.1.2.3", "password", true},
		{"a:net", "11.1.2.3", "password", false},
		{"a:net", "fe80::1%eth0", "password", false},
		{"a:net", "", "password", false},
		{"a:key", "", "api_key", true},
		{"a:key", "", "password", false},
		{"a:ada", "", "password", true},
	} {
		if got := ask(c.action, c.source, c.method); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// Two requests of one identity that differ only in what a rule looks at must
// not share an answer.
func TestMemoryKeepsRequestsApart(t *testing.T) {
	t.Parallel()
	e, _ := setup(t, `
		permit (principal, action == Action::"r:id", resource == Site::"1");
		permit (principal, action == Action::"r:in", resource in Organization::"12");
		permit (principal, action == Action::"r:written", resource) when { Site::"1" in Organization::"12" };
		permit (principal, action == Action::"r:net", resource) when { context has source };`)
	id := who("sites/owner")
	allow := func(action string, edit func(*policy.Request)) bool {
		r := policy.Request{Identity: id, Action: action, Resource: policy.Resource{Type: "Site", ID: "1"}}
		edit(&r)
		return decide(t, e, r).Allowed
	}
	same := func(*policy.Request) {}
	in12 := func(r *policy.Request) { r.Resource.Parents = []policy.Parent{{Type: "Organization", ID: "12"}} }
	id2 := func(r *policy.Request) { r.Resource.ID = "2" }
	from := func(r *policy.Request) { r.Source = netip.MustParseAddr("10.0.0.1") }
	typ := func(r *policy.Request) { r.Resource.Type = "Route" }
	for i, c := range []struct {
		action string
		edit   func(*policy.Request)
		want   bool
	}{
		{"r:id", same, true}, {"r:id", id2, false}, {"r:id", same, true}, {"r:id", typ, false},
		{"r:in", same, false}, {"r:in", in12, true}, {"r:in", same, false},
		{"r:written", same, false}, {"r:written", in12, true}, {"r:written", id2, false},
		{"r:net", same, false}, {"r:net", from, true}, {"r:net", same, false},
	} {
		if got := allow(c.action, c.edit); got != c.want {
			t.Errorf("%d %s: allowed = %v, want %v", i, c.action, got, c.want)
		}
	}
}

func TestRouteRoles(t *testing.T) {
	t.Parallel()
	e, _ := setup(t, "")
	ask := func(id *identity.Identity, roles []string) bool {
		return decide(t, e, policy.Request{Identity: id, Action: "orders:read",
			Resource: policy.Resource{Type: "Route", ID: "orders", Roles: roles}}).Allowed
	}
	id := who("sites/analyst")
	operators, owners := []string{"sites/operator"}, []string{"sites/owner"}
	for i, c := range []struct {
		roles []string
		want  bool
	}{{operators, true}, {owners, false}, {nil, false}, {operators, true}, {[]string{}, false}} {
		if got := ask(id, c.roles); got != c.want {
			t.Errorf("%d: roles %v: allowed = %v", i, c.roles, got)
		}
	}
	d := decide(t, e, policy.Request{Identity: who("sites/analyst"), Action: "orders:read",
		Resource: policy.Resource{Type: "Route", ID: "orders", Attrs: map[string]string{"roles": "sites/operator"}}})
	if d.Allowed || len(d.Errors) > 0 {
		t.Errorf("an attribute passed for the configuration's roles: %+v", d)
	}
}

func TestChangeIsSeen(t *testing.T) {
	t.Parallel()
	e, r := setup(t, "")
	id := who("sites/owner")
	if !decide(t, e, read(id)).Allowed {
		t.Fatal("not allowed before")
	}
	reads := r.reads
	decide(t, e, read(id))
	if r.reads != reads {
		t.Errorf("the rules were read again without a change")
	}
	r.change(`forbid (principal, action, resource);`)
	if decide(t, e, read(id)).Allowed {
		t.Error("still allowed after the change")
	}
}

func TestTenantReplacesParts(t *testing.T) {
	t.Parallel()
	e, _ := setup(t, `@id("sites/read") permit (principal in Role::"crew", action in Action::"site:read:*", resource);`,
		policy.Role{Name: "crew"}, policy.Role{Name: "sites/analyst", Includes: []string{"crew"}})
	for role, want := range map[string]bool{
		"crew": true, "sites/operator": false, "sites/analyst": true, "sites/owner": true,
	} {
		if d := decide(t, e, read(who(role))); d.Allowed != want {
			t.Errorf("%s: allowed = %v, want %v", role, d.Allowed, want)
		}
	}
}

func TestAdministration(t *testing.T) {
	t.Parallel()
	e, _ := setup(t, "")
	for _, c := range []struct {
		role, action string
		want         bool
	}{
		{"gatehouse/administrator", "admin:write:credentials", true},
		{"gatehouse/administrator", "admin:read:credentials", true},
		{"gatehouse/installation", "admin:write:credentials", true},
		{"gatehouse/auditor", "admin:read:credentials", true},
		{"gatehouse/auditor", "admin:write:credentials", false},
		{"sites/owner", "admin:read:credentials", false},
		{"gatehouse/administrator@Tenant:other", "admin:read:credentials", false},
	} {
		r := policy.Request{Identity: who(c.role), Action: c.action, Resource: policy.Resource{Type: "Tenant", ID: "ten_1"}}
		if d := decide(t, e, r); d.Allowed != c.want {
			t.Errorf("%s %s: allowed = %v, want %v", c.role, c.action, d.Allowed, c.want)
		}
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	e, _ := setup(t, `@id("odd") forbid (principal, action, resource) when { resource.missing == "x" };`)
	r := read(scoped(who("sites/analyst@Site:4"), "site:read:one"))
	x, err := e.Explain(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if x.Allowed || len(x.Errors) == 0 || x.Version != 1 {
		t.Errorf("decision = %+v, version %d", x.Decision, x.Version)
	}
	if want := []string{"sites/analyst", "sites/operator"}; !slices.Equal(x.Roles, want) {
		t.Errorf("roles = %v, want %v", x.Roles, want)
	}
	if want := []string{"site:*", "site:read:*"}; !slices.Equal(x.Groups, want) {
		t.Errorf("groups = %v, want %v", x.Groups, want)
	}
	got := map[string]string{}
	for _, rule := range x.Rules {
		got[rule.ID] = rule.Result
	}
	for id, want := range map[string]string{
		"sites/read": "applies", "odd": "failed", "gatehouse/scope-names-action": "does not apply",
	} {
		if got[id] != want {
			t.Errorf("%s: %q, want %q", id, got[id], want)
		}
	}
	if _, there := got["gatehouse/administrator"]; there {
		t.Error("a rule about other actions is shown")
	}
}

// Somebody who was made from another identity is decided about anew, though what
// was noted about the other came along.
func TestCopiedIdentity(t *testing.T) {
	t.Parallel()
	e, _ := setup(t, "")
	ada := who("sites/operator")
	bob := *ada
	for _, c := range []struct {
		id   *identity.Identity
		want bool
	}{{ada, true}, {ada, true}, {&bob, true}} {
		if d, err := e.Decide(t.Context(), read(c.id)); err != nil || d.Allowed != c.want {
			t.Errorf("%v: %+v, %v", c.id.Roles, d, err)
		}
	}
	eve := *ada // noted by now
	eve.Principal, eve.Roles = "usr_eve", []string{"sites/none"}
	if d, err := e.Decide(t.Context(), read(&eve)); err != nil || d.Allowed {
		t.Errorf("%v: %+v, %v", eve.Roles, d, err)
	}
}
