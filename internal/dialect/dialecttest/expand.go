package dialecttest

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// piece is a stretch of a line: literal text, or what stood between braces.
type piece struct {
	text   string
	braced bool
}

// pieces cuts s at its outermost double braces, counting braces within.
func pieces(s string) ([]piece, error) {
	var out []piece
	for {
		literal, rest, found := strings.Cut(s, "{{")
		if literal != "" {
			out = append(out, piece{literal, false})
		}
		if !found {
			return out, nil
		}
		end := closing(rest)
		if end < 0 {
			return nil, fmt.Errorf("{{%s is not closed", rest)
		}
		out = append(out, piece{rest[:end], true})
		s = rest[end+2:]
	}
}

// closing finds the two braces that close the two before s.
func closing(s string) int {
	depth := 2
	for i := range len(s) {
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				if s[i-1] != '}' {
					return -1
				}
				return i - 1
			}
		}
	}
	return -1
}

// expand replaces everything between braces.
func expand(s string, vars map[string]string) (string, error) {
	parts, err := pieces(s)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, p := range parts {
		text := p.text
		if p.braced {
			if text, err = call(text, vars); err != nil {
				return "", err
			}
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

// repeatLimit keeps a slip of the pen from filling the memory.
const repeatLimit = 16 << 20

// call is one variable or function.
func call(s string, vars map[string]string) (string, error) {
	s, err := expand(s, vars)
	if err != nil {
		return "", err
	}
	name, arg, isCall := strings.Cut(s, " ")
	if !isCall {
		value, known := vars[name]
		if !known {
			return "", fmt.Errorf("nothing is called %q", name)
		}
		return value, nil
	}
	switch name {
	case "base64":
		return base64.StdEncoding.EncodeToString([]byte(arg)), nil
	case "form":
		return url.QueryEscape(arg), nil
	case "hex":
		raw, err := hex.DecodeString(arg)
		return string(raw), err
	case "repeat":
		times, text, _ := strings.Cut(arg, " ")
		n, err := strconv.Atoi(times)
		if err != nil || n < 0 || n*max(len(text), 1) > repeatLimit {
			return "", fmt.Errorf("cannot repeat %q times", times)
		}
		return strings.Repeat(text, n), nil
	}
	return "", fmt.Errorf("no function is called %q", name)
}

var capture = regexp.MustCompile(`(?s)^([a-z_0-9]*):(.*)$`)

// pattern is an expected text.
type pattern struct {
	re    *regexp.Regexp
	names []string // by group, "" for those not kept
}

// compile makes a pattern of s, in which {{name: regexp}} matches and all else
// is literal.
func compile(s string, vars map[string]string) (*pattern, error) {
	parts, err := pieces(s)
	if err != nil {
		return nil, err
	}
	p := &pattern{names: []string{""}}
	var b strings.Builder
	b.WriteString(`(?s)^`)
	for _, part := range parts {
		text := part.text
		if m := capture.FindStringSubmatch(text); part.braced && m != nil {
			inner, err := regexp.Compile(strings.TrimSpace(m[2]))
			if err != nil {
				return nil, err
			}
			p.names = append(p.names, m[1])
			for range inner.NumSubexp() {
				p.names = append(p.names, "")
			}
			b.WriteString("(" + inner.String() + ")")
			continue
		}
		if part.braced {
			if text, err = call(text, vars); err != nil {
				return nil, err
			}
		}
		b.WriteString(regexp.QuoteMeta(text))
	}
	b.WriteString(`$`)
	p.re, err = regexp.Compile(b.String())
	return p, err
}

// match reports whether s is what was expected, and keeps what is captured.
func (p *pattern) match(s string, vars map[string]string) bool {
	groups := p.re.FindStringSubmatch(s)
	if groups == nil {
		return false
	}
	for i, name := range p.names {
		if name != "" {
			vars[name] = groups[i]
		}
	}
	return true
}
