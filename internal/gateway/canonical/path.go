package canonical

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// Why a path is refused, whatever its route allows. The texts may be shown.
var (
	ErrNotAbsolute = errors.New("the path does not begin with a slash")
	ErrBadEscape   = errors.New("the path has a broken percent escape")
	ErrControl     = errors.New("the path has a control character")
	ErrNotUTF8     = errors.New("the path is not UTF-8")
	ErrDotSegment  = errors.New("the path has a dot segment")
	ErrTooLong     = errors.New("the path is too long")
)

// maxPath bounds a path. Servers commonly end at 8 KiB for the whole line.
const maxPath = 8 << 10

// Path is a path in its normal form. The zero value is no path.
type Path struct {
	// Escaped is what is forwarded, byte for byte.
	Escaped string
	// Decoded is Escaped with its escapes undone; with an [EncodedSlash] in it,
	// its slashes are not the separators.
	Decoded string
	// Odd is what a route must allow.
	Odd Oddity
}

// Parse normalises the path of a request line, without its query.
func Parse(raw string) (Path, error) {
	if len(raw) > maxPath {
		return Path{}, ErrTooLong
	}
	if raw == "" || raw[0] != '/' {
		return Path{}, ErrNotAbsolute
	}
	p := Path{Escaped: raw, Decoded: raw}
	if !plain(raw) {
		var err error
		if p, err = normalise(raw); err != nil {
			return Path{}, err
		}
	}
	for rest := p.Escaped[1:]; rest != ""; {
		var segment string
		segment, rest, _ = strings.Cut(rest, "/")
		if segment == "" { // the end of "/a/" is an empty rest and no segment
			p.Odd |= EmptySegment
		} else if dotted(segment) {
			return Path{}, ErrDotSegment
		}
	}
	return p, nil
}

// plain reports whether s consists of unreserved characters and slashes, and
// so is its own normal form. Nearly every path is.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; !unreserved(c) && c != '/' {
			return false
		}
	}
	return true
}

// normalise rewrites escapes and notes oddities.
func normalise(raw string) (Path, error) {
	var p Path
	escaped := make([]byte, 0, len(raw)+16)
	decoded := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		c, wasEscaped := raw[i], false
		if c == '%' {
			if i+2 >= len(raw) || !isHex(raw[i+1]) || !isHex(raw[i+2]) {
				return Path{}, ErrBadEscape
			}
			c, wasEscaped = unhex(raw[i+1])<<4|unhex(raw[i+2]), true
			i += 2
		}
		switch {
		case c < 0x20 || c == 0x7f:
			return Path{}, ErrControl
		case c == '/' && wasEscaped:
			p.Odd |= EncodedSlash
		case c == '\\':
			p.Odd |= EncodedBackslash
		case c == ';' && !wasEscaped:
			p.Odd |= Semicolon
		case c == '%' && i+2 < len(raw) && isHex(raw[i+1]) && isHex(raw[i+2]):
			p.Odd |= DoubleEscape
		}
		decoded = append(decoded, c)
		if unreserved(c) || !wasEscaped && (c == '/' || subDelim(c)) {
			escaped = append(escaped, c)
		} else {
			escaped = append(escaped, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	if !utf8.Valid(decoded) {
		return Path{}, ErrNotUTF8
	}
	p.Escaped, p.Decoded = string(escaped), string(decoded)
	return p, nil
}

// dotted reports whether a segment is . or .. for some server: as it stands,
// before path parameters (/..;x/), or between encoded separators (a%2F..%2Fb).
// In the normal form a dot has one spelling.
func dotted(segment string) bool {
	if !strings.ContainsAny(segment, "%;") {
		return segment == "." || segment == ".."
	}
	// Separators and dots may be spelt doubly escaped, too.
	s := separators.Replace(segment)
	for part := range strings.SplitSeq(s, "/") {
		part, _, _ = strings.Cut(part, ";")
		if part == "." || part == ".." {
			return true
		}
	}
	return false
}

var separators = strings.NewReplacer(
	"%252F", "/", "%252f", "/", "%255C", "/", "%255c", "/", "%253B", ";", "%253b", ";", "%252E", ".", "%252e", ".",
	"%2F", "/", "%5C", "/", "%3B", ";",
)

// unreserved is RFC 3986, section 2.3.
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

// subDelim is what else may stand in a segment unescaped (RFC 3986, section
// 3.3). An escaped one stays escaped: the two may mean different things.
func subDelim(c byte) bool { return strings.IndexByte("!$&'()*+,;=:@", c) >= 0 }

const upperHex = "0123456789ABCDEF"

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c >= 'a':
		return c - 'a' + 10
	}
	return c - 'A' + 10
}
