package config

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
)

// TestTemplate reads what `gatehouse init` writes, as it is and with every
// example switched on.
func TestTemplate(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := Template(&out, "/var/lib/it's here", "/etc/gatehouse/master.key", "sqlite"); err != nil {
		t.Fatal(err)
	}
	c, ps := parse(t, out.String(), nil)
	if ps != nil {
		t.Fatalf("as it is: %v\n%s", ps, &out)
	}
	if c.DataDir != "/var/lib/it's here" || c.MasterKeyFile != "/etc/gatehouse/master.key" {
		t.Errorf("data_dir %q, master_key_file %q", c.DataDir, c.MasterKeyFile)
	}

	// An example is a line that would be YAML of ours without its sign.
	text := regexp.MustCompile(`(?m)^( *)# ((?:bus|upstreams|routes|tenants|forward_auth|trusted_proxies|hosts|  .*):?.*)$`).ReplaceAllString(out.String(), "$1$2")
	text = strings.ReplaceAll(text, "\n#\n", "\n\n")
	c, ps = parse(t, text, nil)
	if ps != nil {
		t.Fatalf("with the examples: %v\n%s", ps, text)
	}
	if len(c.Routes) != 2 || len(c.Upstreams) != 1 || c.Tenants["default"].Dialects.Ayyeka == nil ||
		c.Tenants["default"].Dialects.Acqueon == nil || len(c.Tenants["default"].Dialects.Fieldpine.Endpoints) != 2 || len(c.ForwardAuth.Proxies) != 1 || len(c.Bus.NATS.URLs) != 1 {
		t.Errorf("not all examples were switched on: %+v", c)
	}
}
