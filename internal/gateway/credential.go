package gateway

import (
	"encoding/base64"
	"net/http"
	"strings"
	"unicode/utf8"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/gateway/canonical"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/inbound"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/secret"
)

func malformed(reason string) *authn.Refusal {
	return &authn.Refusal{Kind: authn.Malformed, Reason: reason}
}

// attempt reads what a request presents to a route. It believes nothing, and
// never guesses: two credentials, or one given twice, are a mistake or a trick.
func (m *match) attempt(r *http.Request, query string, facts *inbound.Facts) (authn.Attempt, *authn.Refusal) {
	a := authn.Attempt{Tenant: facts.Tenant, Dialect: Name, Remote: facts.Remote, RequestID: facts.RequestID}
	presented := 0
	if m.accepts.bearer || m.accepts.basic {
		lines := r.Header["Authorization"]
		if len(lines) > 1 {
			return a, malformed("several Authorization headers")
		}
		if len(lines) == 1 {
			found, refusal := m.authorization(&a, lines[0])
			if refusal != nil {
				return a, refusal
			}
			if found {
				presented++
			}
		}
	}
	if m.accepts.ticket && query != "" {
		text, there, err := canonical.One(query, ticketParameter)
		if err != nil {
			return a, malformed("the query cannot be read in one way only")
		}
		if there {
			presented++
			a.Method, a.Secret = byTicket, secret.New(text)
		}
	}
	if m.accepts.key {
		n, refusal := m.apiKey(&a, r.Header[m.KeyHeader], query)
		if refusal != nil {
			return a, refusal
		}
		presented += n
	}
	switch presented {
	case 0:
		return a, &authn.Refusal{Kind: authn.Missing, Reason: "no credential"}
	case 1:
		return a, nil
	}
	return a, malformed("several credentials")
}

// authorization reads the header of that name (RFC 9110, section 11.6.2). A
// scheme that the route does not accept is none of its business.
func (m *match) authorization(a *authn.Attempt, line string) (found bool, _ *authn.Refusal) {
	scheme, rest, _ := strings.Cut(line, " ")
	rest = strings.Trim(rest, " ")
	switch {
	case m.accepts.bearer && strings.EqualFold(scheme, "Bearer"):
		return true, bearer(a, rest)
	case m.accepts.proof && strings.EqualFold(scheme, "DPoP"):
		a.ProofKey = unproved
		return true, bearer(a, rest)
	case m.accepts.basic && strings.EqualFold(scheme, "Basic"):
		return true, basic(a, rest)
	}
	return false, nil
}

// bearer reads a token; signed ones have three parts.
func bearer(a *authn.Attempt, token string) *authn.Refusal {
	if token == "" || !oneWord(token) {
		return malformed("bearer token is not one word")
	}
	a.Method, a.Secret = identity.Opaque, secret.New(token)
	if strings.Count(token, ".") == 2 {
		a.Method = identity.JWT
	}
	return nil
}

// oneWord reports whether s has no blank and no comma. Tokens are long, and
// looking for one byte at a time is many times as fast as for any of several.
func oneWord(s string) bool {
	return strings.IndexByte(s, ' ') < 0 && strings.IndexByte(s, '\t') < 0 && strings.IndexByte(s, ',') < 0
}

// basic reads RFC 7617. Generated keys are told from user names by their shape:
// 32 upper-case hexadecimal digits, which no normalised user name has.
func basic(a *authn.Attempt, encoded string) *authn.Refusal {
	b, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || strings.ContainsAny(encoded, "\r\n") || !utf8.Valid(b) {
		return malformed("basic credential is not base64 of text")
	}
	name, password, ok := strings.Cut(string(b), ":")
	if !ok || name == "" {
		return malformed("basic credential without name or colon")
	}
	a.Secret = secret.New(password)
	if secret.IsUpperHex(16, name) {
		a.Method, a.Name = identity.KeyPair, name
		return nil
	}
	if name, err = principal.NormaliseName(principal.User, name); err != nil {
		return malformed("basic credential with an impossible name")
	}
	a.Method, a.Name = identity.Password, name
	return nil
}

// apiKey reads the key's header, and the query where the route allows it.
func (m *match) apiKey(a *authn.Attempt, lines []string, query string) (found int, _ *authn.Refusal) {
	if len(lines) > 1 {
		return 0, malformed("several API keys")
	}
	if len(lines) == 1 {
		found++
		a.Method, a.Secret = identity.APIKey, secret.New(lines[0])
	}
	if m.KeyQuery == "" || query == "" {
		return found, nil
	}
	key, there, err := canonical.One(query, m.KeyQuery)
	if err != nil {
		return 0, malformed("the query cannot be read in one way only")
	}
	if there {
		found++
		a.Method, a.Secret = identity.APIKey, secret.New(key)
	}
	return found, nil
}
