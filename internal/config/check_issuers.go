package config

import (
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
)

// signatures are the algorithms that an issuer can be pinned to: none that uses
// a secret, and not "none".
var signatures = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

var goodPrincipal = regexp.MustCompile(`^(user|client|application|device|bearer)/[^{}/]*(\{[^{}]+\}[^{}/]*)?$`)

func (k *checker) issuers(field string, list []*Issuer) {
	known := map[string]int{}
	for n, i := range list {
		at := fmt.Sprintf("%s[%d]", field, n)
		if i == nil {
			k.wrong(at, "write its settings, or take the dash away", "is empty")
			continue
		}
		if first, twice := known[i.Issuer]; twice {
			k.wrong(at+".issuer", "describe each issuer once", "is the same as issuers[%d]", first)
		}
		known[i.Issuer] = n
		k.issuer(at, i)
	}
}

func (k *checker) issuer(at string, i *Issuer) {
	if i.Issuer == "" {
		k.wrong(at+".issuer", "write the iss of its tokens", "is missing")
	}
	if i.Audience == "" {
		k.wrong(at+".audience", "write what its tokens for this installation have in aud", "is missing; any token of the issuer would do")
	}
	if !goodPrincipal.MatchString(i.Principal) || strings.HasSuffix(i.Principal, "/") {
		k.wrong(at+".principal", "write kind and name, like client/partner, or with a claim, like user/{email}", "%q does not say whom its tokens stand for", i.Principal)
	}
	switch keys := i.KeysURL != "" || i.KeysFile != ""; {
	case i.KeysURL != "" && i.KeysFile != "":
		k.wrong(at+".keys_file", "keep one of the two", "is given beside keys_url")
	case !keys && i.Introspection == nil:
		k.wrong(at+".keys_url", "name its keys, or introspection", "is missing; its tokens could not be checked")
	case keys && len(i.Algorithms) == 0:
		k.wrong(at+".algorithms", "write what it signs with, like [RS256]", "is empty")
	}
	for n, a := range i.Algorithms {
		if !slices.Contains(signatures, a) {
			k.wrong(fmt.Sprintf("%s.algorithms[%d]", at, n), "write one of "+strings.Join(signatures, ", "), "%q is not an algorithm of public keys", a)
		}
	}
	k.readable(at+".keys_file", i.KeysFile)
	k.private(at+".keys_url", i.KeysURL)
	if i.Introspection != nil {
		k.introspection(at+".introspection", i.Introspection)
	}
}

func (k *checker) introspection(at string, i *Introspection) {
	if i.URL == "" {
		k.wrong(at+".url", "write where to ask", "is missing")
	}
	k.private(at+".url", i.URL)
	if i.ClientID == "" {
		k.wrong(at+".client_id", "write our own id there", "is missing")
	}
	switch file, env := i.ClientSecretFile != "", i.ClientSecretEnv != ""; {
	case file == env:
		k.wrong(at+".client_secret_file", "name a file, or a variable in client_secret_env, and not both", "does not say where our own secret is")
	case env && os.Getenv(i.ClientSecretEnv) == "":
		k.wrong(at+".client_secret_env", "set it where the server is started", "there is no variable %s", i.ClientSecretEnv)
	}
	k.readable(at+".client_secret_file", i.ClientSecretFile)
}

// private refuses to fetch keys, or show tokens, in clear over a network.
func (k *checker) private(field string, u URL) {
	parsed, err := url.Parse(string(u))
	if err == nil && parsed.Scheme == "http" && !Address(parsed.Host).Loopback() && !Address(parsed.Host+":80").Loopback() {
		k.wrong(field, "write https://", "would be asked in clear")
	}
}
