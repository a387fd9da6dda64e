package token

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// encoding/json keeps the last of two members with one name, matches names
// without regard to case, and mends bad UTF-8. Two readers of one token can
// then disagree about what it says, so tokens are read by jsontext, which takes
// RFC 8259 to the letter and refuses a member given twice at any depth. NUL is
// refused here, and depth and number are bounded.

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
	if bytes.Contains(b, []byte(`\u0000`)) {
		return nil, errJSON
	}
	d := jsontext.NewDecoder(bytes.NewReader(b))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return nil, errJSON
	}
	ms := make([]member, 0, 8)
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil || len(ms) == maxMembers {
			return nil, errJSON
		}
		m := member{name: name.String()}
		if m.raw, err = readValue(d, b); err != nil {
			return nil, errJSON
		}
		ms = append(ms, m)
	}
	d.ReadToken() // the brace that was seen
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errJSON
	}
	return ms, nil
}

// readValue passes over the next value and returns the bytes of it.
func readValue(d *jsontext.Decoder, b []byte) ([]byte, error) {
	outside, start := d.StackDepth(), d.InputOffset()
	for {
		t, err := d.ReadToken()
		if err != nil || d.StackDepth() > maxDepth {
			return nil, errJSON
		}
		if k := t.Kind(); d.StackDepth() == outside && k != '{' && k != '[' {
			return bytes.TrimLeft(b[start:d.InputOffset()], ": \t\r\n"), nil
		}
	}
}

// readText returns what a JSON string says.
func readText(raw []byte) (string, bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	text, err := jsontext.AppendUnquote(nil, raw)
	return string(text), err == nil && utf8.Valid(text)
}

// readTexts returns the strings of a JSON array of nothing else.
func readTexts(raw []byte) ([]string, bool) {
	d := jsontext.NewDecoder(bytes.NewReader(raw))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '[' {
		return nil, false
	}
	texts := []string{}
	for d.PeekKind() == '"' {
		t, err := d.ReadToken()
		if err != nil {
			return nil, false
		}
		texts = append(texts, t.String())
	}
	return texts, d.PeekKind() == ']'
}
