package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func noEnv(string) string { return "" }

func parse(t *testing.T, text string, env map[string]string) (*Config, Problems) {
	t.Helper()
	c, err := Parse("gatehouse.yaml", []byte(text), func(name string) string { return env[name] })
	if err == nil {
		return c, nil
	}
	ps, ok := errors.AsType[Problems](err)
	if !ok {
		t.Fatalf("Parse returned %T, want Problems: %v", err, err)
	}
	return nil, ps
}

const small = `
master_key_file: /etc/gatehouse/master.key
upstreams:
  sites: {urls: [http://127.0.0.1:9000]}
`

func TestParse(t *testing.T) {
	t.Parallel()
	c, ps := parse(t, `
data_dir: /var/lib/gatehouse
database: postgres://gatehouse:hunter2@db/gatehouse
master_key_file: keys/master.key
gate:
  listen: :8443
  trusted_proxies: [10.0.0.0/8, "fd00::1"]
tenants:
  waterworks:
    hosts: [API.Example.com]
    dialects:
      ayyeka: {upstream: sites, accept_jwt_scheme: true}
upstreams:
  sites:
    urls: ["http://127.0.0.1:9000/"]
    health_path: /v2.0/health
routes:
  - name: reports
    tenant: waterworks
    path: /reports/
    credentials: [bearer, key]
    upstream: sites
    body: 1MiB
limits:
  idle_timeout: 1h30m
log: {level: debug}
`, nil)
	if ps != nil {
		t.Fatal(ps)
	}
	want := Default()
	want.DataDir = "/var/lib/gatehouse"
	want.MasterKeyFile = "keys/master.key"
	want.Gate.Listen = ":8443"
	want.Gate.TrustedProxies = []Prefix{prefix(t, "10.0.0.0/8"), prefix(t, "fd00::1/128")}
	want.Tenants = map[string]*Tenant{"waterworks": {
		Hosts:    []Host{"api.example.com"},
		Dialects: Dialects{Ayyeka: &Ayyeka{Upstream: "sites", Issuer: "Cloud", Lifetime: Duration(time.Hour), AcceptJWTScheme: true}},
	}}
	want.Upstreams = map[string]*Upstream{"sites": {
		URLs: []URL{"http://127.0.0.1:9000"}, HealthPath: "/v2.0/health",
		HealthInterval: Duration(5 * time.Second), HealthTimeout: Duration(2 * time.Second), ConnectTimeout: Duration(5 * time.Second), ResponseTimeout: Duration(30 * time.Second),
	}}
	want.Routes = []*Route{{
		Name: "reports", Tenant: "waterworks", Path: "/reports/", Credentials: []CredentialKind{Bearer, Key},
		KeyHeader: "X-API-Key", FirstMessage: FirstMessage{As: Bearer}, Upstream: "sites", Body: MiB,
	}}
	want.Limits.IdleTimeout = Duration(90 * time.Minute)
	want.Log.Level = "debug"
	if diff := cmp.Diff(want, c, cmp.Comparer(func(a, b Prefix) bool { return a == b }), cmp.Comparer(func(Database, Database) bool { return true })); diff != "" {
		t.Errorf("Parse (-want +got):\n%s", diff)
	}
	if url, ok := c.Database.Postgres(); !ok || url.Reveal() != "postgres://gatehouse:hunter2@db/gatehouse" {
		t.Errorf("database = %v, %v", c.Database, ok)
	}
	if got := c.Tenants["waterworks"].IssuerOf(); got != "https://api.example.com" {
		t.Errorf("IssuerOf = %q", got)
	}
}

func prefix(t *testing.T, s string) (p Prefix) {
	t.Helper()
	if err := p.UnmarshalText([]byte(s)); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestProblems has one configuration per mistake, and what people read about it.
func TestProblems(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		env        map[string]string
		want       []string // each the whole text of one problem
	}{
		{
			name: "UnknownName",
			text: "gate:\n  lisen: :8080\n",
			want: []string{"gatehouse.yaml:2: gate.lisen: there is no such setting\n    did you mean listen?"},
		},
		{
			name: "UnknownNameFarFromAll",
			text: "ops:\n  colour: red\n",
			want: []string{"gatehouse.yaml:2: ops.colour: there is no such setting\n    known here: listen"},
		},
		{
			name: "SeveralAtOnce",
			text: "gate: {listen: 8080}\nlog:\n  level: loud\nlimits:\n  body: much\n",
			want: []string{
				`gatehouse.yaml:1: gate.listen: "8080" is not an address to listen on` + "\n    write host:port, like 127.0.0.1:8080, or :8080 for every address",
				`gatehouse.yaml:3: log.level: "loud" is not known here` + "\n    write one of debug, info, warn, error",
				`gatehouse.yaml:5: limits.body: "much" is not a size` + "\n    write a whole number with a unit, like 64KiB, 10MiB or 2GB",
			},
		},
		{
			name: "Environment",
			text: small,
			env:  map[string]string{"GATEHOUSE_REVOCATION_LEASE": "soon"},
			want: []string{`environment GATEHOUSE_REVOCATION_LEASE: revocation.lease: "soon" is not a time span` + "\n    write a number with a unit, like 250ms, 30s, 15m, 12h or 7d"},
		},
		{
			name: "EnvironmentIsCheckedAsAWhole",
			text: small,
			env:  map[string]string{"GATEHOUSE_OPS_LISTEN": ":9180"},
			want: []string{"environment GATEHOUSE_OPS_LISTEN: ops.listen: is reachable from other machines, and metrics tell about callers\n    write 127.0.0.1:9180, or unix:/path/to/socket, or off"},
		},
		{
			name: "PasswordInAnAddressIsNotRepeated",
			text: "upstreams:\n  a:\n    urls: [http://me:hunter2@host]\n",
			want: []string{"gatehouse.yaml:3: upstreams.a.urls[0]: must not hold a user name or password\n    write it like https://api.example.com or http://10.0.0.5:9000"},
		},
		{
			name: "PasswordInADatabaseIsNotRepeated",
			text: "database: mysql://me:hunter2@host/db\n",
			want: []string{"gatehouse.yaml:1: database: is neither sqlite nor a PostgreSQL URL\n    write sqlite, or a URL like postgres://user@host/name"},
		},
		{
			name: "MasterKeyInsideTheData",
			text: "data_dir: data\nmaster_key_file: data/keys/master.key\n",
			want: []string{"gatehouse.yaml:2: master_key_file: lies inside data_dir\n    move it elsewhere, so that a copy of the data folder is worth nothing by itself"},
		},
		{
			name: "DeskOnTheNetworkWithoutHosts",
			text: "desk:\n  listen: :8081\n",
			want: []string{"gatehouse.yaml:1: desk.hosts: is empty although the desk listens beyond this machine; another site's page could reach it by a name of its own\n    name the hosts under which people reach the desk"},
		},
		{
			name: "OnePortTwice",
			text: "desk:\n  listen: 127.0.0.1:8080\n",
			want: []string{"gatehouse.yaml:2: desk.listen: is the same as gate.listen\n    give each listener a port of its own"},
		},
		{
			name: "CertificateWithoutKey",
			text: "gate:\n  tls:\n    cert: /dev/null\n",
			want: []string{"gatehouse.yaml:2: gate.tls.key: is missing beside the certificate\n    name the key file too, or leave the certificate out for plain HTTP"},
		},
		{
			name: "HostOfTwoTenants",
			text: "tenants:\n  a: {hosts: [x.example]}\n  b:\n    hosts:\n      - x.example\n",
			want: []string{"gatehouse.yaml:5: tenants.b.hosts[0]: x.example already belongs to tenant a\n    give each host to one tenant"},
		},
		{
			name: "HostOfTheDesk",
			text: "desk: {hosts: [x.example]}\ntenants:\n  a: {hosts: [x.example]}\n",
			want: []string{"gatehouse.yaml:3: tenants.a.hosts[0]: x.example is a host of the desk, and no route may stand there\n    give the gate and the desk different hosts"},
		},
		{
			name: "UpstreamThatIsNot",
			text: small + "tenants:\n  default:\n    dialects:\n      ayyeka:\n        upstream: site\n",
			want: []string{"gatehouse.yaml:9: tenants.default.dialects.ayyeka.upstream: there is no upstream site\n    did you mean sites?"},
		},
		{
			name: "RouteWithoutCredentials",
			text: small + "routes:\n  - {name: r, path: /r, upstream: sites}\n",
			want: []string{"gatehouse.yaml:6: routes[0].credentials: is missing; what nobody protects must be said to be open\n    write for instance [bearer, key], or [none] for a public page"},
		},
		{
			name: "RouteTwice",
			text: small + "routes:\n  - {name: r, path: /r, upstream: sites, credentials: [none]}\n  - {name: s, path: /r, upstream: sites, credentials: [key]}\n",
			want: []string{"gatehouse.yaml:7: routes[1].path: /r is already taken by routes[0]\n    take one of the two away, or let them differ in host, path or methods"},
		},
		{
			name: "RouteOnOwnPath",
			text: small + "routes:\n  - {name: r, path: /-/x, upstream: sites, credentials: [none]}\n",
			want: []string{"gatehouse.yaml:6: routes[0].path: everything below /-/ belongs to Gatehouse\n    choose another path"},
		},
		{
			name: "RoutePathNotCanonical",
			text: small + "routes:\n  - {name: r, path: /a/../b, upstream: sites, credentials: [none]}\n",
			want: []string{`gatehouse.yaml:6: routes[0].path: "/a/../b" is not in its canonical form` + "\n    write it plainly: no %, ?, #, //, . or .."},
		},
		{
			name: "StarWithCookies",
			text: small + "routes:\n  - name: r\n    path: /r\n    upstream: sites\n    credentials: [none]\n    cors: {origins: ['*'], credentials: true}\n",
			want: []string{"gatehouse.yaml:10: routes[0].cors.origins[0]: * with credentials would give every site its visitors' cookies\n    name the origins one by one"},
		},
		{
			name: "BusPasswordInURL",
			text: small + "bus: {nats: {urls: ['nats://me:hunter2@nats.internal:4222']}}\n",
			want: []string{"gatehouse.yaml:5: bus.nats.urls[0]: must not hold a user name, password or token\n    name a file in credentials_file, password_file or token_file"},
		},
		{
			name: "BusHalfConfigured",
			text: small + "bus:\n  nats:\n    prefix: a.*\n    user: me\n    token_file: /dev/null\n",
			want: []string{
				"gatehouse.yaml:7: bus.nats.prefix: cannot begin a subject\n    use up to 63 letters, digits, hyphens and underscores, with dots between words",
				"gatehouse.yaml:6: bus.nats: logs in more than one way\n    keep one of credentials_file, user with password_file, and token_file",
				"gatehouse.yaml:6: bus.nats.password_file: is missing beside the user\n    name the file that holds the password",
				"gatehouse.yaml:6: bus.nats.urls: is empty although there are settings for it\n    write where NATS is, like [nats://10.0.0.7:4222]",
			},
		},
		{
			name: "SectionWrittenAsValue",
			text: "gate: :8080\n",
			want: []string{"gatehouse.yaml:1: gate: is a section, not a value\n    write its settings below it, indented: listen, tls, trusted_proxies, proxy_headers"},
		},
		{
			name: "ListWrittenAsValue",
			text: "desk:\n  hosts: a.example\n",
			want: []string{"gatehouse.yaml:2: desk.hosts: is a list\n    write [a, b] or one item a line, each after a dash"},
		},
		{
			name: "Anchor",
			text: "node: &x a\n",
			want: []string{"gatehouse.yaml:1: node: anchors, aliases, merges and tags are not read here\n    write the value out"},
		},
		{
			name: "SecondDocument",
			text: "node: a\n---\nnode: b\n",
			want: []string{"gatehouse.yaml:3: a second document begins here\n    keep one configuration in one file, without ---"},
		},
		{
			name: "SameNameTwice",
			text: "node: a\nnode: b\n",
			want: []string{`gatehouse.yaml:2: mapping key "node" already defined at [1:1]` + "\n    mend the YAML; indentation is made of blanks, never of tabs"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, ps := parse(t, tt.text, tt.env)
			var got []string
			for _, p := range ps {
				got = append(got, p.String())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if strings.Contains(ps.Error(), "hunter2") {
				t.Errorf("the message repeats a password:\n%v", ps)
			}
		})
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	c, ps := parse(t, "gate: {listen: ':1'}\n"+small, map[string]string{
		"GATEHOUSE_GATE_LISTEN":          "127.0.0.1:2",
		"GATEHOUSE_GATE_TRUSTED_PROXIES": "10.0.0.0/8, 192.168.0.1",
		"GATEHOUSE_DATABASE":             "postgres://db/gatehouse",
		"GATEHOUSE_LOG_REQUESTS":         "false",
		"GATEHOUSE_NODE":                 "", // empty is not set
	})
	if ps != nil {
		t.Fatal(ps)
	}
	if c.Gate.Listen != "127.0.0.1:2" || len(c.Gate.TrustedProxies) != 2 || c.Log.Requests {
		t.Errorf("gate = %+v, log = %+v", c.Gate, c.Log)
	}
	if _, ok := c.Database.Postgres(); !ok {
		t.Error("the database of the environment was not taken")
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "gatehouse.yaml")

	if _, err := Load(file, noEnv); err == nil || !strings.Contains(err.Error(), "gatehouse init") {
		t.Errorf("missing file: %v, want a hint at gatehouse init", err)
	}
	if err := os.WriteFile(file, []byte("data_dir: state\ngate: {tls: {cert: no.pem, key: no.key}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Load(file, noEnv)
	if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "no.pem")) {
		t.Errorf("paths are not relative to the file: %v", err)
	}
	if err := os.WriteFile(file, []byte(strings.Repeat("#", maxFile+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file, noEnv); err == nil || !strings.Contains(err.Error(), "larger") {
		t.Errorf("a huge file: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("gate: {listen: ':1'}\n" + small)
	f.Add("routes: [{}, null, {cors: }]")
	f.Add("a: &x [*x]\n<<: *x")
	f.Add("tenants: {default: }\n---\n- ")
	f.Add("? [a]\n: b")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse("f.yaml", []byte(text), noEnv)
		if (c == nil) == (err == nil) {
			t.Fatalf("Parse returned %v and %v", c, err)
		}
	})
}
