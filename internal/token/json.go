package token

import (
	"errors"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// The standard decoder keeps the last of two members with one name, matches
// names without regard to case, and mends bad UTF-8. Two readers of one token
// can then disagree about what it says, so tokens are read by this scanner: it
// takes RFC 8259 to the letter, refuses a member given twice at any depth, NUL
// and half surrogates, and bounds depth and number.

const (
	maxDepth   = 8
	maxMembers = 64
)

var errJSON = errors.New("not a JSON object as tokens have it")

// member is one member of an object: its name, and its value as it stands.
type member struct {
	name string
	raw  []byte
}

// readObject reads b, which must be one object and nothing else.
func readObject(b []byte) ([]member, error) {
	s := scanner{b: b}
	s.space()
	ms, ok := s.object(1)
	if !ok {
		return nil, errJSON
	}
	if s.space(); s.i != len(b) {
		return nil, errJSON
	}
	return ms, nil
}

type scanner struct {
	b []byte
	i int
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

// take consumes c if it comes next.
func (s *scanner) take(c byte) bool {
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

func (s *scanner) object(depth int) ([]member, bool) {
	if depth > maxDepth || !s.take('{') {
		return nil, false
	}
	s.space()
	if s.take('}') {
		return nil, true
	}
	ms := make([]member, 0, 8)
	for {
		s.space()
		name, ok := s.text()
		if !ok || len(ms) == maxMembers {
			return nil, false
		}
		for _, m := range ms {
			if m.name == name {
				return nil, false
			}
		}
		s.space()
		if !s.take(':') {
			return nil, false
		}
		s.space()
		start := s.i
		if !s.value(depth) {
			return nil, false
		}
		ms = append(ms, member{name, s.b[start:s.i]})
		s.space()
		if s.take('}') {
			return ms, true
		}
		if !s.take(',') {
			return nil, false
		}
	}
}

// value consumes any value inside something of the given depth.
func (s *scanner) value(depth int) bool {
	if s.i >= len(s.b) {
		return false
	}
	switch s.b[s.i] {
	case '{':
		_, ok := s.object(depth + 1)
		return ok
	case '[':
		return s.array(depth+1, func() bool { return s.value(depth + 1) })
	case '"':
		_, ok := s.text()
		return ok
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	}
	return s.number()
}

// array consumes an array whose elements element consumes.
func (s *scanner) array(depth int, element func() bool) bool {
	if depth > maxDepth || !s.take('[') {
		return false
	}
	s.space()
	if s.take(']') {
		return true
	}
	for {
		s.space()
		if !element() {
			return false
		}
		s.space()
		if s.take(']') {
			return true
		}
		if !s.take(',') {
			return false
		}
	}
}

func (s *scanner) literal(word string) bool {
	if len(s.b)-s.i < len(word) || string(s.b[s.i:s.i+len(word)]) != word {
		return false
	}
	s.i += len(word)
	return true
}

// number consumes -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func (s *scanner) number() bool {
	s.take('-')
	if !s.take('0') && !s.digits() {
		return false
	}
	if s.take('.') && !s.digits() {
		return false
	}
	if s.take('e') || s.take('E') {
		if !s.take('+') {
			s.take('-')
		}
		return s.digits()
	}
	return true
}

func (s *scanner) digits() bool {
	start := s.i
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i > start
}

// text consumes a string and returns what it says.
func (s *scanner) text() (string, bool) {
	if !s.take('"') {
		return "", false
	}
	start := s.i
	for ; s.i < len(s.b); s.i++ { // most strings need no unescaping
		c := s.b[s.i]
		if c == '"' {
			out := string(s.b[start:s.i])
			s.i++
			return out, utf8.ValidString(out)
		}
		if c < ' ' {
			return "", false
		}
		if c == '\\' {
			return s.escaped(start)
		}
	}
	return "", false
}

// escaped goes on with a string at its first backslash.
func (s *scanner) escaped(start int) (string, bool) {
	out := append([]byte(nil), s.b[start:s.i]...)
	for s.i < len(s.b) {
		c := s.b[s.i]
		s.i++
		switch {
		case c == '"':
			return string(out), utf8.Valid(out)
		case c < ' ':
			return "", false
		case c != '\\':
			out = append(out, c)
		default:
			r, ok := s.escape()
			if !ok {
				return "", false
			}
			out = utf8.AppendRune(out, r)
		}
	}
	return "", false
}

// escape consumes what follows a backslash.
func (s *scanner) escape() (rune, bool) {
	if s.i >= len(s.b) {
		return 0, false
	}
	c := s.b[s.i]
	s.i++
	switch c {
	case '"', '\\', '/':
		return rune(c), true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case 'u':
		return s.unicode()
	}
	return 0, false
}

// unicode consumes four hexadecimal digits, and the second half of a pair.
func (s *scanner) unicode() (rune, bool) {
	r, ok := s.hex4()
	if !ok || r == 0 {
		return 0, false
	}
	if !utf16.IsSurrogate(r) {
		return r, true
	}
	if !s.take('\\') || !s.take('u') {
		return 0, false
	}
	low, ok := s.hex4()
	r = utf16.DecodeRune(r, low)
	return r, ok && r != utf8.RuneError
}

func (s *scanner) hex4() (rune, bool) {
	if len(s.b)-s.i < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s.b[s.i:s.i+4]), 16, 16)
	s.i += 4
	return rune(n), err == nil
}
