package hygiene

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Rules say what one route does beyond what holds for all. The zero value
// strips every known place of a credential.
type Rules struct {
	// Keys are headers in which callers may put an API key, in canonical form.
	Keys []string
	// PassCredential leaves Authorization, Keys and cookies that are not ours.
	PassCredential bool
	// Pass are canonical names that would be dropped as able to mislead a
	// backend, and which this one needs: X-Http-Method-Override, say.
	Pass []string
}

// Request returns the headers of r that go to a backend. Values are shared
// with r, not copied. Room is left for those that the gate adds.
func (rules *Rules) Request(r *http.Request) http.Header {
	out := make(http.Header, len(r.Header)+6)
	tokens := connectionTokens(r.Header)
	for name, values := range r.Header {
		if hop(name) || rules.drops(name) || slices.Contains(tokens, name) {
			continue
		}
		if name == "Cookie" {
			if values = foreignCookies(values); values == nil {
				continue
			}
		}
		out[name] = values
	}
	// TE is for one hop, but gRPC backends insist on this one value of it.
	if httpguts.HeaderValuesContainsToken(r.Header["Te"], "trailers") {
		out["Te"] = []string{"trailers"}
	}
	return out
}

// Trailer reports whether a trailer of that name may go to a backend. A server
// may merge trailers into headers (RFC 9110, section 6.5.1), so they obey the
// same rules.
func (rules *Rules) Trailer(name string) bool {
	name = textproto.CanonicalMIMEHeaderKey(name)
	return name != "Cookie" && !hop(name) && !rules.drops(name)
}

func (rules *Rules) drops(name string) bool {
	if !rules.PassCredential && (name == "Authorization" || slices.Contains(rules.Keys, name)) {
		return true
	}
	isReserved, passable := Reserved(name)
	return isReserved && !(passable && slices.Contains(rules.Pass, name))
}

// hop reports whether a header is for one connection only. Expect stays: it is
// end to end (RFC 9110, section 10.1.1).
func hop(name string) bool {
	switch name {
	case "Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings", "Content-Length", "Host":
		return true
	}
	return false
}

// connectionTokens are the names that Connection declares to be for this hop.
func connectionTokens(h http.Header) []string {
	var names []string
	for _, line := range h["Connection"] {
		for token := range strings.SplitSeq(line, ",") {
			switch token = textproto.TrimString(token); token {
			case "", "close", "keep-alive", "Keep-Alive", "Upgrade", "upgrade":
			default:
				names = append(names, textproto.CanonicalMIMEHeaderKey(token))
			}
		}
	}
	return names
}

// foreignCookies takes our own cookies out: one host name may serve the gate
// and the desk, and browsers send a host's cookies to all its ports (RFC 6265,
// section 8.5). It returns nil when none is left.
func foreignCookies(lines []string) []string {
	if !slices.ContainsFunc(lines, func(l string) bool { return hasFold(l, "gatehouse") }) {
		return lines
	}
	var kept []string
	for _, line := range lines {
		for pair := range strings.SplitSeq(line, ";") {
			pair = textproto.TrimString(pair)
			name, _, _ := strings.Cut(pair, "=")
			if pair != "" && !ours(textproto.TrimString(name)) {
				kept = append(kept, pair)
			}
		}
	}
	if kept == nil {
		return nil
	}
	return []string{strings.Join(kept, "; ")}
}

// ours reports whether a cookie of that name was set by Gatehouse; all of ours
// begin alike, after the prefixes that browsers know.
func ours(name string) bool {
	name = strings.ToLower(name)
	name = strings.TrimPrefix(strings.TrimPrefix(name, "__host-"), "__secure-")
	return strings.HasPrefix(name, "gatehouse")
}

func hasFold(s, lower string) bool { return strings.Contains(strings.ToLower(s), lower) }
