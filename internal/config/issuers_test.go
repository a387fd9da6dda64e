package config

import (
	"strings"
	"testing"
)

func TestIssuers(t *testing.T) {
	t.Setenv("ISSUER_SECRET", "x")
	const good = "{issuer: \"https://idp.example\", audience: us, keys_url: \"https://idp.example/keys\", algorithms: [RS256], principal: \"user/{email}\"}"
	for name, c := range map[string]struct{ issuer, want string }{
		"Good":       {good, ""},
		"Asked":      {`{issuer: i, audience: us, principal: client/p, introspection: {url: "http://127.0.0.1:1/i", client_id: us, client_secret_env: ISSUER_SECRET}}`, ""},
		"NoAudience": {strings.Replace(good, "audience: us, ", "", 1), "audience: is missing"},
		"InClear":    {strings.Replace(good, "https://idp.example/keys", "http://idp.example/keys", 1), "keys_url: would be asked in clear"},
		"Secret":     {strings.Replace(good, "RS256", "HS256", 1), `algorithms[0]: "HS256" is not an algorithm of public keys`},
		"Unpinned":   {strings.Replace(good, "algorithms: [RS256], ", "", 1), "algorithms: is empty"},
		"NoKeys":     {strings.Replace(good, `keys_url: "https://idp.example/keys", `, "", 1), "keys_url: is missing"},
		"Nobody":     {strings.Replace(good, "user/{email}", "{email}", 1), "does not say whom its tokens stand for"},
		"Twice":      {good + "\n      - " + good, "issuers[1].issuer: is the same as issuers[0]"},
		"NoSecret":   {`{issuer: i, audience: us, principal: client/p, introspection: {url: "https://i.example/i", client_id: us}}`, "does not say where our own secret is"},
	} {
		_, err := Parse("gatehouse.yaml", []byte("tenants:\n  default:\n    issuers:\n      - "+c.issuer+"\n"), func(string) string { return "" })
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
