package canonical

import (
	"errors"
	"net/url"
	"strings"
)

// Why a query is refused. The texts may be shown.
var (
	ErrQuery          = errors.New("the query has a character that must be escaped")
	ErrQueryAmbiguous = errors.New("the query cannot be read in one way only")
)

// ParseQuery returns the query to forward. A space or control character would
// end the request line early for some servers, and a # would start a fragment;
// both are refused. Bytes above ASCII, which old clients send, are escaped.
// Otherwise a query passes as it is: its escapes are the backend's business
// unless [One] is asked.
func ParseQuery(raw string) (string, error) {
	high := 0
	for i := range len(raw) {
		switch c := raw[i]; {
		case c <= ' ' || c == 0x7f || c == '#':
			return "", ErrQuery
		case c >= 0x80:
			high++
		}
	}
	if high == 0 {
		return raw, nil
	}
	out := make([]byte, 0, len(raw)+2*high)
	for i := range len(raw) {
		if c := raw[i]; c >= 0x80 {
			out = append(out, '%', upperHex[c>>4], upperHex[c&15])
		} else {
			out = append(out, c)
		}
	}
	return string(out), nil
}

// One returns the value of the parameter called name, and whether it is there.
// Where a decision rests on a query, every server must read it alike, so this
// refuses a name that comes twice, a semicolon (a separator to some), and
// broken escapes, wherever in the query they are.
func One(query, name string) (value string, found bool, err error) {
	if strings.Contains(query, ";") {
		return "", false, ErrQueryAmbiguous
	}
	for pair := range strings.SplitSeq(query, "&") {
		k, v, _ := strings.Cut(pair, "=")
		k, err := url.QueryUnescape(k)
		if err != nil {
			return "", false, ErrQueryAmbiguous
		}
		v, err = url.QueryUnescape(v)
		if err != nil {
			return "", false, ErrQueryAmbiguous
		}
		if k != name {
			continue
		}
		if found {
			return "", false, ErrQueryAmbiguous
		}
		value, found = v, true
	}
	return value, found, nil
}

// Without returns query without the parameters called name, the rest
// unchanged.
func Without(query, name string) string {
	var kept []string
	for pair := range strings.SplitSeq(query, "&") {
		k, _, _ := strings.Cut(pair, "=")
		if k, err := url.QueryUnescape(k); err == nil && k == name {
			continue
		}
		kept = append(kept, pair)
	}
	return strings.Join(kept, "&")
}
