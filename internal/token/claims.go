package token

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// Claims are the claims of a parsed token, not yet believed. Names are
// compared exactly.
type Claims struct{ members []member }

// ParseClaims reads claims that do not stand in a token, such as what an
// introspection endpoint answers, as strictly as those that do.
func ParseClaims(text []byte) (Claims, error) {
	ms, err := readObject(text)
	if err != nil {
		return Claims{}, fmt.Errorf("%w: not a strict JSON object", ErrMalformed)
	}
	return Claims{ms}, nil
}

// Has reports whether the claim is there, be it null.
func (c Claims) Has(name string) bool { return c.raw(name) != nil }

func (c Claims) raw(name string) []byte {
	for _, m := range c.members {
		if m.name == name {
			return m.raw
		}
	}
	return nil
}

// Names lists the claims in the order of the token.
func (c Claims) Names() []string {
	out := make([]string, len(c.members))
	for i, m := range c.members {
		out[i] = m.name
	}
	return out
}

// Text returns a claim that must be a string.
func (c Claims) Text(name string) (string, error) {
	if v, ok := readText(c.raw(name)); ok {
		return v, nil
	}
	return "", claimError(name, "a string")
}

// Texts returns a claim that must be an array of strings.
func (c Claims) Texts(name string) ([]string, error) {
	if v, ok := readTexts(c.raw(name)); ok {
		return v, nil
	}
	return nil, claimError(name, "an array of strings")
}

// Object returns the members of a claim that must be an object.
func (c Claims) Object(name string) (Claims, error) {
	ms, err := readObject(c.raw(name))
	if err != nil {
		return Claims{}, claimError(name, "an object")
	}
	return Claims{ms}, nil
}

// Audience returns aud, which may be one string or an array (RFC 7519 section
// 4.1.3).
func (c Claims) Audience() ([]string, error) {
	if v, err := c.Text("aud"); err == nil {
		return []string{v}, nil
	}
	return c.Texts("aud")
}

// Int returns a claim that must be a whole number, written as one.
func (c Claims) Int(name string) (int64, error) {
	raw := c.raw(name)
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil {
		return 0, claimError(name, "a whole number")
	}
	return n, nil
}

// latest bounds times: the year 9999. It keeps arithmetic with leeways safe.
const latest = 253402300799

// Time returns a claim that must be a NumericDate (RFC 7519 section 2): seconds,
// possibly with a fraction, to the microsecond.
func (c Claims) Time(name string) (time.Time, error) {
	raw := string(c.raw(name))
	if n, err := strconv.ParseInt(raw, 10, 64); err == nil {
		if n < 0 || n > latest {
			return time.Time{}, claimError(name, "a time before the year 10000")
		}
		return time.Unix(n, 0), nil
	}
	if raw == "" || raw[0] == '"' {
		return time.Time{}, claimError(name, "a time in seconds")
	}
	f, err := strconv.ParseFloat(raw, 64)
	if err != nil || !(f >= 0 && f <= latest) {
		return time.Time{}, claimError(name, "a time in seconds")
	}
	return time.UnixMicro(int64(math.Floor(f * 1e6))), nil
}

func claimError(name, want string) error {
	return fmt.Errorf("%w: %s is not %s", ErrClaims, name, want)
}

// Claim is one claim to be written.
type Claim struct {
	Name string
	// Value is a string, a whole number, a bool, a time.Time (written as whole
	// seconds), or whatever encoding/json knows.
	Value any
}

// Encode writes claims as a JSON object in the given order, which some
// protocols fix.
func Encode(claims ...Claim) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	put := func(v any) error {
		if err := enc.Encode(v); err != nil {
			return err
		}
		b.Truncate(b.Len() - 1) // Encode ends the line
		return nil
	}
	b.WriteByte('{')
	for i, c := range claims {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := put(c.Name); err != nil {
			return nil, fmt.Errorf("encode claim %s: %w", c.Name, err)
		}
		b.WriteByte(':')
		v := c.Value
		if t, ok := v.(time.Time); ok {
			v = t.Unix()
		}
		if err := put(v); err != nil {
			return nil, fmt.Errorf("encode claim %s: %w", c.Name, err)
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
