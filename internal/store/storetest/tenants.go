package storetest

import (
	"testing"

	"gatehouse.dev/internal/id"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/tenant"
)

func tenants(t *testing.T, w *world) {
	ctx := t.Context()
	if w.tenant.Number != 1001 || !w.tenant.Enabled || w.tenant.Created.IsZero() || id.Prefix(w.tenant.ID) != "ten" {
		t.Errorf("first tenant = %+v", w.tenant)
	}
	again, err := w.EnsureTenant(ctx, "acme", event("tenant.create"))
	ok(t, err)
	same(t, "ensured again", again, w.tenant)

	b, err := w.CreateTenant(ctx, tenant.Tenant{ID: id.New("ten"), Name: "bolt", Enabled: true}, event("tenant.create"))
	ok(t, err)
	if b.Number != 1002 {
		t.Errorf("second number = %d", b.Number)
	}
	w.unrecorded(t, "a name twice", tenant.ErrExists, func() error {
		_, err := w.CreateTenant(ctx, tenant.Tenant{ID: id.New("ten"), Name: "bolt"}, event("tenant.create"))
		return err
	})
	for _, find := range []func() (tenant.Tenant, error){
		func() (tenant.Tenant, error) { return w.Tenant(ctx, b.ID) },
		func() (tenant.Tenant, error) { return w.TenantByName(ctx, "bolt") },
	} {
		got, err := find()
		ok(t, err)
		same(t, "found", got, b)
	}
	_, err = w.TenantByName(ctx, "Bolt")
	fails(t, "another case", err, tenant.ErrNotFound)
	all, err := w.Tenants(ctx)
	ok(t, err)
	same(t, "all", all, []tenant.Tenant{w.tenant, b})

	w.revokes(t, "tenant.disable", w.tenant.ID, revocation.End,
		func() (int64, error) { return w.DisableTenant(ctx, w.tenant.ID, event("tenant.disable")) },
		revocation.Ground{Kind: revocation.Tenant, ID: w.tenant.ID})
	if got, _ := w.Tenant(ctx, w.tenant.ID); got.Enabled {
		t.Error("still enabled")
	}
	ok(t, w.EnableTenant(ctx, w.tenant.ID, event("tenant.enable")))
	w.recorded(t, "tenant.enable", w.tenant.ID)
	if got, _ := w.Tenant(ctx, w.tenant.ID); !got.Enabled {
		t.Error("not enabled again")
	}
	w.unrecorded(t, "disable nobody", tenant.ErrNotFound, func() error {
		_, err := w.DisableTenant(ctx, "ten_none", event("tenant.disable"))
		return err
	})
}

func tenantsRace(t *testing.T, w *world) {
	type result struct {
		tenant.Tenant
		err error
	}
	all := together(20, func(int) result {
		v, err := w.EnsureTenant(t.Context(), "raced", event("tenant.race"))
		return result{v, err}
	})
	for _, r := range all {
		ok(t, r.err)
		same(t, "one tenant", r.Tenant, all[0].Tenant)
	}
}

func methods(t *testing.T, w *world) {
	ctx := t.Context()
	m := tenant.Method{Dialect: "gateway", Method: "password"}
	for range 2 { // anew each time
		w.revokes(t, "method.off", w.tenant.ID, revocation.End,
			func() (int64, error) { return w.SwitchMethodOff(ctx, w.tenant.ID, m, event("method.off")) },
			revocation.Ground{Kind: revocation.Method, ID: w.tenant.ID + "/gateway/password"})
	}
	off, err := w.MethodsOff(ctx, w.tenant.ID)
	ok(t, err)
	if len(off) != 1 || off[0].Method != m || off[0].Since.IsZero() {
		t.Errorf("off = %+v", off)
	}
	ok(t, w.SwitchMethodOn(ctx, w.tenant.ID, m, event("method.on")))
	w.recorded(t, "method.on", w.tenant.ID)
	if off, _ := w.MethodsOff(ctx, w.tenant.ID); len(off) != 0 {
		t.Errorf("still off: %+v", off)
	}
	w.unrecorded(t, "no tenant", tenant.ErrNotFound, func() error {
		_, err := w.SwitchMethodOff(ctx, "ten_none", m, event("method.off"))
		return err
	})
}
