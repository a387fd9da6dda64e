package config

import (
	"net/url"
	"slices"

	"gatehouse.dev/internal/bus"
)

// BusURL is the address of a NATS server.
type BusURL string

// UnmarshalText implements encoding.TextUnmarshaler. The message leaves the
// value out, because people put passwords into addresses.
func (u *BusURL) UnmarshalText(text []byte) error {
	const mend = "write it like nats://10.0.0.7:4222 or tls://nats.internal:4222"
	parsed, err := url.Parse(string(text))
	switch {
	case err != nil:
		return bad(mend, "is not a URL")
	case !slices.Contains([]string{"nats", "tls"}, parsed.Scheme):
		return bad(mend, "must begin with nats:// or tls://")
	case parsed.Hostname() == "":
		return bad(mend, "has no host")
	case parsed.User != nil:
		return bad("name a file in credentials_file, password_file or token_file", "must not hold a user name, password or token")
	case parsed.RawQuery != "" || parsed.Fragment != "" || parsed.Path != "" && parsed.Path != "/":
		return bad(mend, "must end after host and port")
	}
	*u = BusURL(parsed.Scheme + "://" + parsed.Host)
	return nil
}

// Plain reports whether messages travel to some server in the clear, and to
// another machine.
func (n NATS) Plain() bool {
	if n.TLS != (ClientTLS{}) {
		return false
	}
	plain := false
	for _, u := range n.URLs {
		parsed, err := url.Parse(string(u))
		if err != nil || parsed.Scheme == "tls" {
			return false // one that demands TLS demands it of all
		}
		plain = plain || !Address(parsed.Hostname()+":0").Loopback()
	}
	return plain
}

func (k *checker) bus() {
	n := k.config.Bus.NATS
	if bus.CheckSubject(n.Prefix) != nil || len(n.Prefix) > 63 {
		k.wrong("bus.nats.prefix", "use up to 63 letters, digits, hyphens and underscores, with dots between words", "cannot begin a subject")
	}
	ways := 0
	for _, set := range []bool{n.CredentialsFile != "", n.User != "" || n.PasswordFile != "", n.TokenFile != ""} {
		if set {
			ways++
		}
	}
	if ways > 1 {
		k.wrong("bus.nats", "keep one of credentials_file, user with password_file, and token_file", "logs in more than one way")
	}
	switch {
	case n.User != "" && n.PasswordFile == "":
		k.wrong("bus.nats.password_file", "name the file that holds the password", "is missing beside the user")
	case n.User == "" && n.PasswordFile != "":
		k.wrong("bus.nats.user", "name whose password it is", "is missing beside password_file")
	}
	if (ways > 0 || n.TLS != (ClientTLS{})) && len(n.URLs) == 0 {
		k.wrong("bus.nats.urls", "write where NATS is, like [nats://10.0.0.7:4222]", "is empty although there are settings for it")
	}
	k.readable("bus.nats.credentials_file", n.CredentialsFile)
	k.readable("bus.nats.password_file", n.PasswordFile)
	k.readable("bus.nats.token_file", n.TokenFile)
	k.readable("bus.nats.tls.ca_file", n.TLS.CAFile)
	if n.TLS.Cert != "" || n.TLS.Key != "" {
		k.tls("bus.nats.tls", TLS{Cert: n.TLS.Cert, Key: n.TLS.Key})
	}
}
