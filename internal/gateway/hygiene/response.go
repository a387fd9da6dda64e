package hygiene

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// Response copies the headers of a backend's answer to dst, without those for
// one connection and without a reflected identity. What dst already has stays:
// the gate's own word goes before the backend's. A backend cannot set our
// cookies, which a browser would also show to the desk on the same host name.
func Response(dst, src http.Header) {
	tokens := connectionTokens(src)
	for name, values := range src {
		if responseHop(name) || Identity(name) || slices.Contains(tokens, name) {
			continue
		}
		if name == "Set-Cookie" && slices.ContainsFunc(values, setsOurs) {
			values = slices.DeleteFunc(slices.Clone(values), setsOurs)
		}
		if _, set := dst[name]; !set && len(values) > 0 {
			dst[name] = values
		}
	}
}

func setsOurs(line string) bool {
	name, _, _ := strings.Cut(line, "=")
	return ours(textproto.TrimString(name))
}

// responseHop is like hop, but Content-Length is the answer's own.
func responseHop(name string) bool {
	switch name {
	case "Content-Length":
		return false
	case "Trailer": // net/http announces what the proxy declares
		return true
	}
	return hop(name)
}

// Identity reports whether name is the identity header, or would be taken for
// it by a server that cannot tell all characters apart.
func Identity(name string) bool {
	if len(name) < len("gatehouseidentity") || (name[0]|0x20 != 'g' && alnum(name[0])) {
		return false
	}
	var space [32]byte
	folded, ok := fold(space[:0:longest], name)
	return ok && string(folded) == "gatehouseidentity"
}

func alnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}
