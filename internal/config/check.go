package config

import (
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"gatehouse.dev/internal/tenant"
)

// checker looks at the configuration as a whole and collects what is wrong.
type checker struct {
	config   *Config
	where    func(field string) string
	problems []Problem
}

func (k *checker) wrong(field, mend, format string, args ...any) {
	k.problems = append(k.problems, Problem{Where: k.where(field), Field: field, What: fmt.Sprintf(format, args...), Mend: mend})
}

func (k *checker) check() {
	k.places()
	k.listeners()
	k.tenants()
	k.upstreams()
	k.routes()
	k.numbers()
	k.bus()
	k.readable("countries.file", k.config.Countries.File)
}

func (k *checker) places() {
	c := k.config
	if c.Identity.Issuer == "" {
		k.wrong("identity.issuer", "leave it out for gatehouse", "is empty")
	}
	if c.DataDir == "" {
		k.wrong("data_dir", "name a folder that Gatehouse may write to", "is empty")
	}
	if c.MasterKeyFile == "" {
		k.wrong("master_key_file", "name the file that gatehouse init made", "is empty")
		return
	}
	if c.MasterKeyFile.Within(c.DataDir) {
		k.wrong("master_key_file", "move it elsewhere, so that a copy of the data folder is worth nothing by itself", "lies inside data_dir")
	}
}

func (k *checker) listeners() {
	c := k.config
	for _, l := range []struct {
		name string
		at   Address
		tls  TLS
	}{{"gate", c.Gate.Listen, c.Gate.TLS}, {"desk", c.Desk.Listen, c.Desk.TLS}} {
		if l.at == Off || l.at == "" || l.at.Unix() != "" {
			k.wrong(l.name+".listen", "write host:port, like 127.0.0.1:8080", "must be a network address")
		}
		k.tls(l.name+".tls", l.tls)
	}
	if c.Ops.Listen != Off && !c.Ops.Listen.Loopback() {
		k.wrong("ops.listen", "write 127.0.0.1:9180, or unix:/path/to/socket, or off",
			"is reachable from other machines, and metrics tell about callers")
	}
	if !c.Desk.Listen.Loopback() && len(c.Desk.Hosts) == 0 {
		k.wrong("desk.hosts", "name the hosts under which people reach the desk",
			"is empty although the desk listens beyond this machine; another site's page could reach it by a name of its own")
	}
	at := map[Address]string{}
	for _, l := range []struct {
		field string
		at    Address
	}{{"gate.listen", c.Gate.Listen}, {"desk.listen", c.Desk.Listen}, {"ops.listen", c.Ops.Listen}} {
		if l.at == Off || strings.HasSuffix(string(l.at), ":0") {
			continue
		}
		if first, taken := at[l.at]; taken {
			k.wrong(l.field, "give each listener a port of its own", "is the same as %s", first)
		}
		at[l.at] = l.field
	}
}

func (k *checker) tls(field string, t TLS) {
	switch {
	case t.Cert == "" && t.Key == "":
		return
	case t.Cert == "":
		k.wrong(field+".cert", "name the certificate file too, or leave the key out for plain HTTP", "is missing beside the key")
	case t.Key == "":
		k.wrong(field+".key", "name the key file too, or leave the certificate out for plain HTTP", "is missing beside the certificate")
	}
	k.readable(field+".cert", t.Cert)
	k.readable(field+".key", t.Key)
}

func (k *checker) readable(field string, p Path) {
	if p == "" {
		return
	}
	f, err := os.Open(string(p))
	if err != nil {
		k.wrong(field, "check the path and who may read it", "cannot be read: %v", err)
		return
	}
	f.Close()
}

// Names are spoken in logs, metrics and policies, so they stay plain.
var goodName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

const nameMend = "use up to 63 lower-case letters, digits, dots, hyphens and underscores, beginning with a letter or digit"

func (k *checker) tenants() {
	c := k.config
	owner := map[Host]string{}
	desk := map[Host]bool{}
	for _, h := range c.Desk.Hosts {
		desk[h] = true
	}
	for _, name := range sortedKeys(c.Tenants) {
		t, field := c.Tenants[name], join("tenants", name)
		if normal, err := tenant.NormaliseName(name); err != nil || normal != name {
			k.wrong(field, "use lower-case letters, digits and inner hyphens, as in the label of a host", "is not a tenant's name")
		}
		for i, h := range t.Hosts {
			hostField := fmt.Sprintf("%s.hosts[%d]", field, i)
			if other, taken := owner[h]; taken {
				k.wrong(hostField, "give each host to one tenant", "%s already belongs to tenant %s", h, other)
			}
			if desk[h] {
				k.wrong(hostField, "give the gate and the desk different hosts", "%s is a host of the desk, and no route may stand there", h)
			}
			owner[h] = name
		}
		if a := t.Dialects.Ayyeka; a != nil {
			k.upstreamNamed(field+".dialects.ayyeka.upstream", a.Upstream)
			if a.Issuer == "" {
				k.wrong(field+".dialects.ayyeka.issuer", "leave it out for Cloud", "is empty")
			}
			if d := a.Lifetime.Std(); d < time.Minute || d > 24*time.Hour || d%time.Second != 0 {
				k.wrong(field+".dialects.ayyeka.lifetime", "write whole seconds from 1m to 24h", "%v is out of bounds", a.Lifetime)
			}
		}
		k.issuers(field+".issuers", t.Issuers)
		k.acqueon(field+".dialects.acqueon", t.Dialects.Acqueon)
		k.fieldpine(field+".dialects.fieldpine", t.Dialects.Fieldpine)
	}
	if len(owner) == 0 && len(c.Tenants) > 1 {
		k.wrong("tenants", "name hosts for all tenants but the one that takes the rest", "are several without a host to tell them apart")
	}
}

func (k *checker) upstreamNamed(field, name string) {
	known := sortedKeys(k.config.Upstreams)
	mend := "describe the backend below upstreams: and name it here"
	switch _, ok := k.config.Upstreams[name]; {
	case ok:
	case name == "":
		if len(known) > 0 {
			mend = "name one of upstreams: " + strings.Join(known, ", ")
		}
		k.wrong(field, mend, "is missing")
	default:
		if len(known) > 0 {
			mend = nearest(name, known)
		}
		k.wrong(field, mend, "there is no upstream %s", name)
	}
}

func (k *checker) upstreams() {
	for _, name := range sortedKeys(k.config.Upstreams) {
		u, field := k.config.Upstreams[name], join("upstreams", name)
		if !goodName.MatchString(name) {
			k.wrong(field, nameMend, "is not a good name")
		}
		if len(u.URLs) == 0 {
			k.wrong(field+".urls", "write at least one address, like [http://127.0.0.1:9000]", "is empty")
		}
		for i, at := range u.URLs {
			f := fmt.Sprintf("%s.urls[%d]", field, i)
			if slices.Contains(u.URLs[:i], at) {
				k.wrong(f, "name each address once", "is there twice")
			}
			parsed, err := url.Parse(string(at))
			if err != nil || parsed.Path != "" {
				k.wrong(f, "write scheme, host and port alone; routes rewrite paths", "%s has a path", at)
			}
			if first, err := url.Parse(string(u.URLs[0])); err == nil && parsed != nil && first.Scheme != parsed.Scheme {
				k.wrong(f, "write all addresses of one backend with http:// or all with https://", "%s has another scheme than the first", at)
			}
		}
		if u.HealthPath != "" && !strings.HasPrefix(u.HealthPath, "/") {
			k.wrong(field+".health_path", "begin it with a slash", "%q is not a path", u.HealthPath)
		}
		for _, d := range []struct {
			name  string
			value Duration
		}{
			{"health_interval", u.HealthInterval}, {"health_timeout", u.HealthTimeout},
			{"connect_timeout", u.ConnectTimeout}, {"response_timeout", u.ResponseTimeout},
		} {
			if d.value == 0 {
				k.wrong(field+"."+d.name, "leave it out for the default", "must be longer than nothing")
			}
		}
		k.readable(field+".ca_file", u.CAFile)
	}
}

func (k *checker) numbers() {
	c := k.config
	for _, d := range []struct {
		field    string
		value    Duration
		min, max string
	}{
		{"limits.header_timeout", c.Limits.HeaderTimeout, "100ms", "5m"},
		{"limits.body_timeout", c.Limits.BodyTimeout, "100ms", "1h"},
		{"limits.idle_timeout", c.Limits.IdleTimeout, "1s", "24h"},
		{"throttle.longest_pause", c.Throttle.LongestPause, "1s", "24h"},
		{"revocation.lease", c.Revocation.Lease, "2s", "10m"},
		{"revocation.poll", c.Revocation.Poll, "20ms", "10s"},
		{"shutdown.drain", c.Shutdown.Drain, "0s", "10m"},
	} {
		k.span(d.field, d.value, d.min, d.max)
	}
	if c.Revocation.Poll*4 > c.Revocation.Lease {
		k.wrong("revocation.lease", "make it at least four times revocation.poll", "%v is too short for a poll every %v", c.Revocation.Lease, c.Revocation.Poll)
	}
	if c.Limits.Header < 4*KiB || c.Limits.Header > MiB {
		k.wrong("limits.header", "write a size from 4KiB to 1MiB", "%v is out of bounds", c.Limits.Header)
	}
	if c.Limits.Body == 0 {
		k.wrong("limits.body", "write a size like 10MiB", "must be more than nothing")
	}
	if c.Throttle.PerIdentity < 1 || c.Throttle.PerSource < 1 {
		k.wrong("throttle", "allow at least one failure a minute", "per_identity and per_source must not be 0")
	}
}

// IssuerOf is the issuer of a tenant's tokens: the one set, or its first host.
func (t *Tenant) IssuerOf() URL {
	if t.Issuer == "" && len(t.Hosts) > 0 {
		return URL((&url.URL{Scheme: "https", Host: string(t.Hosts[0])}).String())
	}
	return t.Issuer
}
