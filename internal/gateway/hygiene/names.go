package hygiene

import "strings"

// reserved are the names that only the gate may use towards a backend, as
// letters and digits in lower case. The value true marks those a route may let
// through (see Rules.Pass).
var reserved = map[string]bool{
	"gatehouseidentity": false,

	"forwarded":             false, // and all that begins with forwardedPrefix
	"xrealip":               false,
	"xclientip":             false,
	"xclusterclientip":      false,
	"xoriginalforwardedfor": false,
	"trueclientip":          true,
	"cfconnectingip":        true,
	"fastlyclientip":        true,
	"xremoteuser":           false,
	"xremoteaddr":           false,
	"remoteuser":            false,
	"remoteaddr":            false,
	"proxy":                 false, // becomes HTTP_PROXY in CGI programs

	// Spelt with other characters than hyphens, these reach programs that have
	// headers as environment variables under the name of the real ones.
	"contentlength":    false,
	"transferencoding": false,

	// Other paths and methods than those decided on.
	"xoriginalurl":        true,
	"xoriginaluri":        true,
	"xoriginalmethod":     true,
	"xrewriteurl":         true,
	"xhttpmethod":         true,
	"xhttpmethodoverride": true,
	"xmethodoverride":     true,
}

// forwardedPrefix begins a family without end: X-Forwarded-For, -Host, -Prefix,
// and also -User, -Email, -Groups, -Client-Cert, by which other proxies say who
// is calling.
const forwardedPrefix = "xforwarded"

// longest is the length of the longest reserved name.
var longest = func() (n int) {
	for name := range reserved {
		n = max(n, len(name))
	}
	return n
}()

// fold writes the letters and digits of name in lower case to buf. ok is false
// when there are more than any reserved name has, and then only the first of them
// are there.
func fold(buf []byte, name string) (_ []byte, ok bool) {
	buf = buf[:0]
	for i := range len(name) {
		c := name[i]
		switch {
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		default:
			continue
		}
		if len(buf) == cap(buf) {
			return buf, false
		}
		buf = append(buf, c)
	}
	return buf, true
}

// Reserved reports whether only the gate may use this name, and whether a
// route may nevertheless let a caller's through.
func Reserved(name string) (reservedName, passable bool) {
	switch name { // the bulk of ordinary traffic, without folding
	case "Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Cache-Control",
		"Content-Length", "Content-Type", "Cookie", "Origin", "Referer", "User-Agent":
		return false, false
	}
	var space [32]byte
	folded, ok := fold(space[:0:longest], name)
	if strings.HasPrefix(string(folded), forwardedPrefix) {
		return true, false
	}
	if !ok {
		return false, false
	}
	passable, reservedName = reserved[string(folded)]
	return reservedName, passable
}
