package forwarded

import (
	"net/http"
	"strings"
)

// Set tells a backend, in both families of headers, what was established. h
// must hold none of them any more.
func (o Origin) Set(h http.Header) {
	addr := "unknown" // RFC 7239, section 6.2; a Unix socket has no address
	if o.Remote.IsValid() {
		addr = o.Remote.String()
		h["X-Forwarded-For"] = []string{addr}
	}
	h["X-Forwarded-Proto"] = []string{o.Scheme}
	h["X-Forwarded-Host"] = []string{o.Host}
	h["Forwarded"] = []string{o.element(addr)}
}

func (o Origin) element(addr string) string {
	b := make([]byte, 0, 64)
	b = append(b, "for="...)
	if o.Remote.Is6() { // colons need quotes, and the brackets belong inside
		b = append(append(append(b, `"[`...), addr...), `]"`...)
	} else {
		b = append(b, addr...)
	}
	b = append(append(b, ";proto="...), o.Scheme...)
	if o.Host != "" {
		b = append(append(b, ";host="...), quoted(o.Host)...)
	}
	return string(b)
}

// quoted returns a token, or a quoted string where it is none.
func quoted(s string) string {
	if !strings.ContainsAny(s, `:[]"\,;= `) {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
