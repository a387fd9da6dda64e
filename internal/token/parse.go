package token

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"gatehouse.dev/internal/secret"
)

// MaxLen is the longest token that is looked at.
const MaxLen = 16 << 10

// Parsed is a compact JWS taken apart, of which nothing is believed yet.
type Parsed struct {
	Alg    Alg    // as the header says
	Type   string // typ, or empty
	KeyID  string // kid, or empty
	Claims Claims

	signed    string // header and claims as they were signed
	signature []byte
}

var base64url = base64.RawURLEncoding.Strict()

// Parse takes a compact JWS (RFC 7515 section 7.1) apart. Every error is
// [ErrMalformed].
func Parse(t secret.Text) (*Parsed, error) {
	p, err := parse(t)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return p, nil
}

type parseError string

func (e parseError) Error() string { return string(e) }

func parse(t secret.Text) (*Parsed, error) {
	if t.Len() > MaxLen {
		return nil, parseError("too long")
	}
	s := t.Reveal()
	first, last, ok := dots(s)
	if !ok {
		return nil, parseError("not three parts of base64url")
	}
	header, err1 := base64url.DecodeString(s[:first])
	claims, err2 := base64url.DecodeString(s[first+1 : last])
	signature, err3 := base64url.DecodeString(s[last+1:])
	if err1 != nil || err2 != nil || err3 != nil {
		return nil, parseError("base64url is not canonical")
	}
	if len(signature) == 0 {
		return nil, parseError("no signature")
	}
	p := &Parsed{signed: s[:last], signature: signature}
	if err := p.readHeader(header); err != nil {
		return nil, err
	}
	ms, err := readObject(claims)
	if err != nil {
		return nil, parseError("claims are not a strict JSON object")
	}
	p.Claims = Claims{ms}
	return p, nil
}

// dots finds the two dots and checks that all else is base64url. The decoder
// alone would not do: it skips line breaks.
func dots(s string) (first, last int, ok bool) {
	first, last = strings.IndexByte(s, '.'), strings.LastIndexByte(s, '.')
	if first < 1 || last <= first+1 {
		return 0, 0, false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		case c == '.' && (i == first || i == last):
		default:
			return 0, 0, false
		}
	}
	return first, last, true
}

// readHeader takes the three members that matter and refuses what could change
// their meaning: crit demands understanding (RFC 7515 section 4.1.11), b64
// changes what is signed (RFC 7797), and a token that brings or points to its
// own key has nothing to say about whom to trust.
func (p *Parsed) readHeader(b []byte) error {
	ms, err := readObject(b)
	if err != nil {
		return parseError("header is not a strict JSON object")
	}
	h := Claims{ms}
	for _, m := range ms {
		switch m.name {
		case "crit", "b64", "jwk", "jku", "x5u", "x5c", "enc", "zip":
			return parseError("header has " + m.name)
		}
	}
	alg, err := h.Text("alg")
	if err != nil {
		return parseError("header has no alg")
	}
	p.Alg = Alg(alg)
	if h.Has("typ") {
		if p.Type, err = h.Text("typ"); err != nil {
			return parseError("typ is not a string")
		}
	}
	if h.Has("kid") {
		if p.KeyID, err = h.Text("kid"); err != nil || len(p.KeyID) > 256 {
			return parseError("kid is not a short string")
		}
	}
	return nil
}

// Hash identifies the token without revealing it; see [Hash].
func (p *Parsed) Hash() string { return hashSigned(p.signed) }

// Hash is what a JWT is revoked by: the SHA-256, in hexadecimal, of its header
// and claims. The signature stays out of it, because one of ECDSA can be turned
// into another that is as good, and a token must not come back by that.
func Hash(t secret.Text) string {
	s := t.Reveal()
	return hashSigned(s[:max(strings.LastIndexByte(s, '.'), 0)])
}

func hashSigned(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
