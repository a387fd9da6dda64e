package app_test

import (
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gatehouse.dev/client/fieldpine"
	"gatehouse.dev/internal/app/apptest"
)

// somewhere starts a house that believes its own machine when it says from where
// a caller comes, and knows two countries.
func somewhere(t *testing.T) *apptest.House {
	t.Helper()
	dir := t.TempDir()
	table := filepath.Join(dir, "countries.csv")
	if err := os.WriteFile(table, []byte("203.0.113.0/24,NZ\n198.51.100.0/24,AU\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return startShop(t, apptest.Options{Dir: dir, Extra: "countries: {file: '" + table + "'}", Proxies: true})
}

var (
	inNZ = netip.MustParseAddr("203.0.113.7")
	inAU = netip.MustParseAddr("198.51.100.7")
	lost = netip.MustParseAddr("192.0.2.7")
)

func dialFrom(t *testing.T, h *apptest.House, from netip.Addr, what fieldpine.Credential) (*fieldpine.Conn, error) {
	t.Helper()
	c, err := fieldpine.Dial(t.Context(), socketURL(h)+"/fd1/open_websocket", what, &fieldpine.Options{
		Header: http.Header{"X-Forwarded-For": {from.String()}, "X-Forwarded-Proto": {"https"}}, LoginTimeout: 2 * time.Second,
	})
	if err == nil {
		t.Cleanup(func() { c.Close() })
	}
	return c, err
}

// TestFieldpineBoundKey: a key that is bound to a country is silence elsewhere,
// and where nobody knows.
func TestFieldpineBoundKey(t *testing.T) {
	t.Parallel()
	h := somewhere(t)
	var key struct{ Secret string }
	h.Admin.Post(t, "/v1/credentials", map[string]any{
		"principal": h.Admin.Client(t, "till", "fieldpine/shop"), "kind": "api_key", "countries": []string{"nz"},
	}, &key)
	for from, in := range map[netip.Addr]bool{inNZ: true, inAU: false, lost: false} {
		c, err := dialFrom(t, h, from, fieldpine.APIKey(key.Secret))
		if (err == nil) != in {
			t.Errorf("from %v: %v, want in: %v", from, err, in)
		}
		if err == nil {
			wantCode(t, c, fieldpine.Request{Action: "fd1.products.get_products"}, 0)
		}
	}
}

// TestFieldpineBoundRoles: roles count by country and by network, one that
// allows is enough, and what a client says about where it is decides nothing.
func TestFieldpineBoundRoles(t *testing.T) {
	t.Parallel()
	h := somewhere(t)
	rules := map[string]any{
		"version": 0,
		// A role that blocks one action of its own, and says nothing about others'.
		"cedar": `
@id("clerk") permit (principal in Role::"clerk", action in Action::"fd1:*", resource)
unless { action == Action::"fd1:sales:get_sale" };
@id("reader") permit (principal in Role::"reader", action == Action::"fd1:sales:get_sale", resource);`,
		"roles": []map[string]any{
			{"name": "clerk"}, {"name": "reader"},
			{"name": "reader-nz", "includes": []string{"reader"}, "countries": []string{"NZ"}},
			{"name": "reader-au-net", "includes": []string{"reader"}, "networks": []string{"198.51.100.0/25"}},
		},
	}
	if _, err := h.Admin.Call(t.Context(), http.MethodPut, "/v1/policy", rules, nil); err != nil {
		t.Fatal(err)
	}
	products := fieldpine.Request{Action: "fd1.products.get_products"}
	inNZSays := fieldpine.Request{Action: "fd1.session.set_option", Values: map[string]any{
		"geo": map[string]any{"latitude": -36.85, "longitude": 174.76, "accuracy": 12, "country": "NZ"},
	}}
	for _, tt := range []struct {
		name           string
		roles          []string
		from           netip.Addr
		sale, products int
	}{
		{"ByCountry", []string{"reader-nz"}, inNZ, 0, 403},
		{"ElsewhereByCountry", []string{"reader-nz"}, inAU, 403, 403},
		{"NobodyKnows", []string{"reader-nz"}, lost, 403, 403},
		{"ByNetwork", []string{"reader-au-net"}, inAU, 0, 403},
		{"ElsewhereByNetwork", []string{"reader-au-net"}, inNZ, 403, 403},
		{"Blocked", []string{"clerk"}, inNZ, 403, 0},
		{"OneAllowsOneBlocks", []string{"clerk", "reader-nz"}, inNZ, 0, 0},
		{"NoneAllows", []string{"clerk", "reader-nz"}, inAU, 403, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			key := h.Admin.Credential(t, h.Admin.Client(t, tt.name, tt.roles...), "api_key", "")
			c, err := dialFrom(t, h, tt.from, fieldpine.APIKey(key.Secret))
			if err != nil {
				t.Fatal(err)
			}
			wantCode(t, c, inNZSays, 0)
			wantCode(t, c, sale("7741"), tt.sale)
			wantCode(t, c, products, tt.products)
		})
	}
}
