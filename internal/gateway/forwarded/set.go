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
	}
	values := [...]string{addr, o.Scheme, o.Host, o.element(addr)} // one allocation for all
	if o.Remote.IsValid() {
		h["X-Forwarded-For"] = values[0:1:1]
	}
	h["X-Forwarded-Proto"] = values[1:2:2]
	h["X-Forwarded-Host"] = values[2:3:3]
	h["Forwarded"] = values[3:4:4]
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
