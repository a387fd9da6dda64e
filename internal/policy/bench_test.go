package policy_test

import (
	"fmt"
	"net/netip"
	"testing"

	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/policy"
)

func BenchmarkDecide(b *testing.B) {
	const text = `
		@id("net") forbid (principal, action == Action::"site:read:guarded", resource) unless { context has source && context.source.isInRange(ip("10.0.0.0/8")) };
		permit (principal in Role::"sites/operator", action == Action::"site:write", resource in Organization::"12");
		permit (principal in Scope::"sites", action in Action::"site:*", resource);`
	e, _ := setup(b, text)
	route := policy.Resource{Type: "Route", ID: "sites"}
	run := func(name string, ids int, edit func(policy.Request) policy.Request) {
		b.Run(name, func(b *testing.B) {
			list := make([]*identity.Identity, ids)
			for i := range list {
				list[i] = who("sites/analyst", "gatehouse/auditor")
				list[i].Principal = fmt.Sprint("usr_", i)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				r := policy.Request{Identity: list[i%ids], Action: "site:read:list", Resource: route}
				if edit != nil {
					r = edit(r)
				}
				d, err := e.Decide(b.Context(), r)
				if err != nil || !d.Allowed {
					b.Fatal(d, err)
				}
				i++
			}
		})
	}
	run("remembered", 1, nil)
	run("remembered-10000-identities", 10_000, nil)
	run("evaluated-context", 1, func(r policy.Request) policy.Request {
		r.Action, r.Source = "site:read:guarded", netip.AddrFrom4([4]byte{10, 1, 2, 3})
		return r
	})
	run("evaluated-first-time", 1, func(r policy.Request) policy.Request {
		c := *r.Identity
		r.Identity = &c
		return r
	})
	run("evaluated-scoped-first-time", 1, func(r policy.Request) policy.Request {
		c := *r.Identity
		c.Scopes = []string{"sites"}
		r.Identity = &c
		return r
	})
}
