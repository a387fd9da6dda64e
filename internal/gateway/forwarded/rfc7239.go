package forwarded

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// element is what one proxy said of its neighbour (RFC 7239, section 4).
type element struct {
	addr        netip.Addr // invalid when it did not say
	proto, host string
}

// readForwarded walks the elements from the right for as long as they name
// trusted proxies. Each element has its own proto and host, so the farthest
// trusted one wins.
func (t Trust) readForwarded(o *Origin, h http.Header) error {
	elements, err := parseForwarded(strings.Join(h["Forwarded"], ","))
	if err != nil {
		return err
	}
	for i := len(elements) - 1; i >= 0; i-- {
		e := elements[i]
		if e.proto != "" {
			o.Scheme = e.proto
		}
		if e.host != "" {
			o.Host = e.host
		}
		if !e.addr.IsValid() {
			return nil
		}
		o.Remote = e.addr
		if !t.Trusted(e.addr) {
			return nil
		}
	}
	return nil
}

// parseForwarded reads a list of elements. The grammar is strict: a header
// that was cut or glued in the middle of a quoted string must not move the
// border between what a client and what a proxy wrote.
func parseForwarded(s string) ([]element, error) {
	var elements []element
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	var e element
	seen := map[string]bool{}
	for {
		s = strings.TrimLeft(s, " \t")
		if s != "" && s[0] != ',' && s[0] != ';' {
			name, value, rest, err := pair(s)
			if err != nil {
				return nil, err
			}
			if seen[name] {
				return nil, fmt.Errorf("%w: %s twice", ErrMalformed, name)
			}
			seen[name] = true
			if err := e.set(name, value); err != nil {
				return nil, err
			}
			s = strings.TrimLeft(rest, " \t")
		}
		switch {
		case s == "":
			return append(elements, e), nil
		case s[0] == ',':
			if elements = append(elements, e); len(elements) >= maxHops {
				return nil, fmt.Errorf("%w: too many hops", ErrMalformed)
			}
			e, seen = element{}, map[string]bool{}
		case s[0] != ';':
			return nil, fmt.Errorf("%w: junk after a value", ErrMalformed)
		}
		s = s[1:]
	}
}

func (e *element) set(name, value string) (err error) {
	switch name {
	case "for":
		e.addr = node(value)
	case "proto":
		e.proto, err = scheme(value)
	case "host":
		e.host, err = host(value)
	}
	return err
}

// pair reads name=token or name="quoted" at the beginning of s.
func pair(s string) (name, value, rest string, err error) {
	name, s, ok := strings.Cut(s, "=")
	if !ok || name == "" || strings.ContainsAny(name, " \t\",;") {
		return "", "", "", fmt.Errorf("%w: no name", ErrMalformed)
	}
	name = strings.ToLower(name)
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexAny(s, ",; \t")
		if end < 0 {
			end = len(s)
		}
		if strings.Contains(s[:end], `"`) {
			return "", "", "", fmt.Errorf("%w: stray quote", ErrMalformed)
		}
		return name, s[:end], s[end:], nil
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return name, b.String(), s[i+1:], nil
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", "", fmt.Errorf("%w: quote not closed", ErrMalformed)
}
