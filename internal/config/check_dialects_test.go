package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// speaking is a configuration whose default tenant speaks what the text says;
// its first line is line 7.
func speaking(dialects string) string {
	return small + "tenants:\n  default:\n    dialects:\n" + dialects
}

// TestDialectProblems has one configuration per mistake with a dialect.
func TestDialectProblems(t *testing.T) {
	t.Parallel()
	const fd1 = "      fieldpine:\n        plain_text: true\n        endpoints:\n"
	for name, tt := range map[string]struct{ text, want string }{
		"NobodyCouldConnect": {
			speaking("      acqueon:\n"),
			"gatehouse.yaml:8: tenants.default.dialects.acqueon.plain_text: is off, and callers can reach the gate in clear only\n    set gate.tls, or name the proxy that ends TLS in gate.trusted_proxies, or write plain_text: true for development",
		},
		"NoEndpointOfTheProtocol": {
			speaking("      acqueon:\n        plain_text: true\n        paths: [/AEDataTransmitter, /aeconsole]\n"),
			`gatehouse.yaml:10: tenants.default.dialects.acqueon.paths[1]: "/aeconsole" is no endpoint of this protocol` + "\n    write /AEDataTransmitter or /AEConsole",
		},
		"EveryName": {
			speaking("      acqueon: {plain_text: true, prefixes: ['']}\n"),
			`gatehouse.yaml:8: tenants.default.dialects.acqueon.prefixes[0]: "" would not tell names apart` + "\n    write the beginning of a name, like AEConsole_",
		},
		"Refuse": {
			speaking("      acqueon: {refuse: never}\n"),
			`gatehouse.yaml:8: tenants.default.dialects.acqueon.refuse: "never" is not known here` + "\n    write one of after_upgrade, before_upgrade",
		},
		"Grace": {
			speaking("      acqueon: {plain_text: true, grace: 2h}\n"),
			"gatehouse.yaml:8: tenants.default.dialects.acqueon.grace: 2h is out of bounds\n    write a time from 0s to 1h",
		},
		"OriginWithAPath": {
			speaking("      acqueon: {plain_text: true, origins: ['https://board.example/wall']}\n"),
			`gatehouse.yaml:8: tenants.default.dialects.acqueon.origins[0]: "https://board.example/wall" is not an origin` + "\n    write scheme and host alone, like https://board.example.com",
		},
		"ActionThatIsNone": {
			speaking(fd1 + "          - {action: products.get, upstream: sites}\n"),
			`gatehouse.yaml:11: tenants.default.dialects.fieldpine.endpoints[0].action: "products.get" is neither an action nor the beginning of some` + "\n    write an action like fd1.sales.get_sale, or fd1.sales.* for all that begin so",
		},
		"OwnAction": {
			speaking(fd1 + "          - {action: fd1.diag.*, upstream: sites}\n"),
			"gatehouse.yaml:11: tenants.default.dialects.fieldpine.endpoints[0].action: fd1.diag.* is not for backends\n    choose other actions",
		},
		"ActionTwice": {
			speaking(fd1 + "          - {action: fd1.*, upstream: sites}\n          - {action: fd1.*, upstream: sites}\n"),
			"gatehouse.yaml:12: tenants.default.dialects.fieldpine.endpoints[1].action: fd1.* is already endpoints[0]\n    take one of the two away",
		},
		"UpstreamThatIsNot": {
			speaking(fd1 + "          - {action: fd1.*, upstream: site}\n"),
			"gatehouse.yaml:11: tenants.default.dialects.fieldpine.endpoints[0].upstream: there is no upstream site\n    did you mean sites?",
		},
		"Entity": {
			speaking(fd1 + "          - {action: fd1.*, upstream: sites, entity: a sale}\n"),
			`gatehouse.yaml:11: tenants.default.dialects.fieldpine.endpoints[0].entity: "a sale" is not a type` + "\n    write a Cedar type like Sale",
		},
		"Packet": {
			speaking("      fieldpine: {plain_text: true, packet: 2MiB}\n"),
			"gatehouse.yaml:8: tenants.default.dialects.fieldpine.packet: 2MiB is out of bounds\n    write a size from 1KiB to 1MiB",
		},
		"Logins": {
			speaking("      fieldpine: {plain_text: true, logins: 0}\n"),
			"gatehouse.yaml:8: tenants.default.dialects.fieldpine.logins: 0 is out of bounds\n    write a number from 1 to 64",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, ps := parse(t, tt.text, nil)
			var got []string
			for _, p := range ps {
				got = append(got, p.String())
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, "\n")); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// TestDialectDefaults: a dialect that is only named has what its description
// recommends, and origins are written as browsers do.
func TestDialectDefaults(t *testing.T) {
	t.Parallel()
	c, ps := parse(t, "gate: {trusted_proxies: [10.0.0.1]}\n"+speaking("      acqueon:\n      fieldpine: {origins: ['HTTPS://Shop.Example:443', 'http://localhost:8000']}\n"), nil)
	if ps != nil {
		t.Fatal(ps)
	}
	d := c.Tenants[DefaultTenant].Dialects
	if a := d.Acqueon; a.Feed != "metrics" || a.Scope != "performance-metrics" || a.Refuse != AfterUpgrade || len(a.Paths) != 2 || a.Grace != 0 {
		t.Errorf("acqueon = %+v", a)
	}
	if f := d.Fieldpine; f.Logins != 8 || f.Requests != 16 || f.Patience.Std() != time.Minute || f.Alias || f.Hello {
		t.Errorf("fieldpine = %+v", f)
	}
	if diff := cmp.Diff([]Origin{"https://shop.example", "http://localhost:8000"}, d.Fieldpine.Origins); diff != "" {
		t.Errorf("origins (-want +got):\n%s", diff)
	}
}

// TestEnvironmentOfSections: the environment changes settings of sections that
// are there, makes none, and does not guess.
func TestEnvironmentOfSections(t *testing.T) {
	t.Parallel()
	text := speaking("      acqueon:\n") + "  acme-west: {hosts: [west.example]}\n"
	c, ps := parse(t, text, map[string]string{
		"GATEHOUSE_TENANTS_DEFAULT_DIALECTS_ACQUEON_PLAIN_TEXT": "true",
		"GATEHOUSE_TENANTS_DEFAULT_DIALECTS_ACQUEON_PREFIXES":   "PerformanceMetrics_, AEConsole_",
		"GATEHOUSE_TENANTS_DEFAULT_DIALECTS_FIELDPINE_ALIAS":    "true", // is not there
		"GATEHOUSE_TENANTS_ACME_WEST_ISSUER":                    "https://west.example",
	})
	if ps != nil {
		t.Fatal(ps)
	}
	d := c.Tenants[DefaultTenant].Dialects
	if !d.Acqueon.PlainText || len(d.Acqueon.Prefixes) != 2 || d.Fieldpine != nil || c.Tenants["acme-west"].Issuer != "https://west.example" {
		t.Errorf("dialects = %+v, acme-west = %+v", d.Acqueon, c.Tenants["acme-west"])
	}

	_, ps = parse(t, speaking("      acqueon: {plain_text: true}\n"), map[string]string{"GATEHOUSE_TENANTS_DEFAULT_DIALECTS_ACQUEON_GRACE": "soon"})
	const wrong = `environment GATEHOUSE_TENANTS_DEFAULT_DIALECTS_ACQUEON_GRACE: tenants.default.dialects.acqueon.grace: "soon" is not a time span`
	if len(ps) != 1 || !strings.HasPrefix(ps[0].String(), wrong) {
		t.Errorf("problems = %v, want %s", ps, wrong)
	}

	_, ps = parse(t, "upstreams:\n  a.b: {urls: ['http://h:1']}\n  a-b: {urls: ['http://h:2']}\n", map[string]string{"GATEHOUSE_UPSTREAMS_A_B_HEALTH_PATH": "/healthz"})
	if len(ps) != 1 || ps[0].Field != "upstreams.a.b.health_path" || ps[0].What != "could be meant as well as upstreams.a-b.health_path" {
		t.Errorf("problems = %v", ps)
	}
}
