package config_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/config"
)

func TestDoubts(t *testing.T) {
	t.Parallel()
	at := func(tenant, path string) *config.Route { return &config.Route{Tenant: tenant, Path: path} }
	tests := map[string]struct {
		routes []*config.Route
		want   []string
	}{
		"NoRoutes":       {nil, nil},
		"Slash":          {[]*config.Route{at("a", "/admin"), at("a", "/x"), at("a", "/admin/")}, []string{"routes[2].path: /admin/ differs from the /admin of routes[0] by the slash at the end alone"}},
		"SlashFirst":     {[]*config.Route{at("a", "/admin/"), at("a", "/admin")}, []string{"routes[1].path: /admin differs from the /admin/ of routes[0] by the slash at the end alone"}},
		"OfTwoTenants":   {[]*config.Route{at("a", "/admin"), at("b", "/admin/")}, nil},
		"Below":          {[]*config.Route{at("a", "/admin/"), at("a", "/admin/x"), at("a", "/")}, nil},
		"ByMethodsAlone": {[]*config.Route{at("a", "/admin"), at("a", "/admin")}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, p := range config.Doubts(&config.Config{Routes: test.routes}) {
				got = append(got, p.Field+": "+p.What)
			}
			if d := cmp.Diff(test.want, got); d != "" {
				t.Errorf("doubts (-want +got):\n%s", d)
			}
		})
	}
}
