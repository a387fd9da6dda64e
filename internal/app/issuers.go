package app

import (
	"bytes"
	"cmp"
	"errors"
	"os"

	"gatehouse.dev/internal/config"
	"gatehouse.dev/internal/foreign"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/tenant"
)

// foreignIssuers reads whose tokens are believed beside our own.
func foreignIssuers(c *config.Config, tenants map[string]tenant.Tenant) []foreign.Config {
	var all []foreign.Config
	for name, t := range tenants {
		if c.Tenants[name] == nil {
			continue
		}
		for _, i := range c.Tenants[name].Issuers {
			one := foreign.Config{
				Tenant: t.ID, Issuer: i.Issuer, Audience: i.Audience, Algorithms: i.Algorithms,
				Keys: cmp.Or(string(i.KeysURL), string(i.KeysFile)), Principal: i.Principal, Unscoped: i.Unscoped,
			}
			if q := i.Introspection; q != nil {
				one.Introspection = &foreign.Introspection{URL: string(q.URL), ClientID: q.ClientID, Secret: func() (secret.Text, error) { return clientSecret(q) }}
			}
			all = append(all, one)
		}
	}
	return all
}

// clientSecret reads our own secret at an issuer.
func clientSecret(q *config.Introspection) (secret.Text, error) {
	text := []byte(os.Getenv(q.ClientSecretEnv))
	if q.ClientSecretFile != "" {
		var err error
		if text, err = os.ReadFile(string(q.ClientSecretFile)); err != nil {
			return secret.Text{}, err
		}
	}
	if text = bytes.TrimSpace(text); len(text) == 0 {
		return secret.Text{}, errors.New("our own secret is empty")
	}
	return secret.New(string(text)), nil
}
