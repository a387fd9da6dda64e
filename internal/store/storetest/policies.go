package storetest

import (
	"testing"

	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/revocation"
)

func policies(t *testing.T, w *world) {
	ctx := t.Context()
	got, err := w.PolicySet(ctx, w.tenant.ID)
	ok(t, err)
	same(t, "none stored", got, policy.Set{Tenant: w.tenant.ID})

	want := policy.Set{Tenant: w.tenant.ID, Cedar: "permit (principal, action, resource);",
		Roles: []policy.Role{{Name: "analyst", Includes: []string{"operator"}}, {Name: "operator"}}}
	put := func() (int64, error) { return w.PutPolicySet(ctx, want, event("policy.put")) }
	ground := revocation.Ground{Kind: revocation.Policy, ID: w.tenant.ID}
	for version := range int64(3) {
		want.Version = version
		w.revokes(t, "policy.put", w.tenant.ID, revocation.Recheck, put, ground)
		got, err = w.PolicySet(ctx, w.tenant.ID)
		ok(t, err)
		same(t, "stored", got, policy.Set{Tenant: want.Tenant, Version: version + 1, Cedar: want.Cedar, Roles: want.Roles})
	}
	for _, version := range []int64{0, 1, 9} {
		want.Version = version
		w.unrecorded(t, "stale", policy.ErrChanged, func() error { _, err := put(); return err })
	}
}

func policiesRace(t *testing.T, w *world) {
	for version := range int64(2) {
		won := 0
		for _, err := range together(10, func(i int) error {
			_, err := w.PutPolicySet(t.Context(), policy.Set{Tenant: w.tenant.ID, Version: version}, event("policy.put"))
			return err
		}) {
			if err == nil {
				won++
			} else {
				fails(t, "loser", err, policy.ErrChanged)
			}
		}
		if won != 1 {
			t.Errorf("%d changed version %d", won, version)
		}
	}
}
