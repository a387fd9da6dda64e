package ayyeka

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/revocation"
)

// untouched is a tenant that has no rules of its own, and a log where nothing
// is ever taken away.
type untouched struct{}

func (untouched) PolicySet(context.Context, string) (policy.Set, error) { return policy.Set{}, nil }
func (untouched) Position() revocation.Position                         { return revocation.Position{} }
func (untouched) Intact([]revocation.Ground, revocation.Position) bool  { return true }

func TestRules(t *testing.T) {
	t.Parallel()
	engine, err := policy.New(untouched{}, untouched{}, Rules)
	if err != nil {
		t.Fatal(err)
	}
	const (
		site     = "GET /v2.0/site"
		org12    = "GET /v2.0/account/organization/12"
		org13    = "GET /v2.0/account/organization/13"
		org13sub = "GET /v2.0/account/organization/13/anything"
		ack      = "POST /v2.0/sample/batch/ack"
		remove   = "DELETE /v2.0/site/3401"
	)
	questions := []string{site, org12, org13, org13sub, ack, remove}
	at12 := func(role string) string { return role + "@Organization:12" }
	for name, c := range map[string]struct {
		roles []string
		may   []string
	}{
		"nobody":                          {nil, nil},
		"another product's administrator": {[]string{principal.AuditorRole}, nil},
		"no access":                       {[]string{NoAccess}, nil},
		"operator":                        {[]string{Operator}, []string{site, org12, org13, org13sub, ack}},
		"analyst":                         {[]string{Analyst}, []string{site, org12, org13, org13sub, ack}},
		"engineer":                        {[]string{Engineer}, []string{site, org12, org13, org13sub, ack}},
		"administrator":                   {[]string{Administrator}, questions},
		"owner":                           {[]string{Owner}, questions},
		"no access, one organization":     {[]string{at12(NoAccess)}, nil},
		"operator, one organization":      {[]string{at12(Operator)}, []string{site, org12, ack}},
		"owner, one organization":         {[]string{at12(Owner)}, []string{site, org12, ack, remove}},
		"operator here, nothing there":    {[]string{at12(Operator), NoAccess}, []string{site, org12, ack}},
		"a place of another kind":         {[]string{Operator + "@Site:12"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id := &identity.Identity{Tenant: "ten_a", Principal: "cli_a", Kind: principal.Client, Roles: c.roles}
			var may []string
			for _, q := range questions {
				method, path, _ := strings.Cut(q, " ")
				d, err := engine.Decide(t.Context(), policy.Request{Identity: id, Action: action(method, path), Resource: resource(path, id)})
				if err != nil || len(d.Errors) > 0 {
					t.Fatalf("%s: %v %v", q, err, d.Errors)
				}
				if d.Allowed {
					may = append(may, q)
				}
			}
			if diff := cmp.Diff(c.may, may); diff != "" {
				t.Errorf("may (-want +got):\n%s", diff)
			}
		})
	}
}
