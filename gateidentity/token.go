package gateidentity

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// maxToken bounds the size of a token that is looked at. Header lines of most
// servers end at 8 KiB too.
const maxToken = 8 << 10

// signatureSize is that of ES256: two 32-byte integers (RFC 7518, section 3.4).
const signatureSize = 64

// strict refuses stray bits after the last character, so that one token has
// one spelling.
var strict = base64.RawURLEncoding.Strict()

// jws is a token taken apart and not believed yet.
type jws struct {
	kid       string
	signed    string // header and payload as they were signed
	payload   []byte
	signature []byte
}

// parse takes a compact JWS apart and checks what can be checked without a
// key: three parts, algorithm ES256, our type, a key id, no critical extension.
func parse(token string) (jws, error) {
	if len(token) > maxToken {
		return jws{}, fmt.Errorf("%w: %d bytes", ErrMalformed, len(token))
	}
	head, rest, ok := strings.Cut(token, ".")
	if !ok {
		return jws{}, fmt.Errorf("%w: one part", ErrMalformed)
	}
	body, sig, ok := strings.Cut(rest, ".")
	if !ok || strings.Contains(sig, ".") {
		return jws{}, fmt.Errorf("%w: not three parts", ErrMalformed)
	}
	headerJSON, err := decode(head)
	if err != nil {
		return jws{}, fmt.Errorf("%w: header", ErrMalformed)
	}
	var h struct {
		Alg  string          `json:"alg"`
		Typ  string          `json:"typ"`
		Kid  string          `json:"kid"`
		Crit json.RawMessage `json:"crit"`
	}
	if err := json.Unmarshal(headerJSON, &h); err != nil {
		return jws{}, fmt.Errorf("%w: header", ErrMalformed)
	}
	switch {
	case h.Alg != "ES256": // the algorithm is ours to choose, never the token's
		return jws{}, fmt.Errorf("%w: algorithm", ErrMalformed)
	case !strings.EqualFold(h.Typ, Type):
		return jws{}, fmt.Errorf("%w: type", ErrMalformed)
	case h.Kid == "":
		return jws{}, fmt.Errorf("%w: no key id", ErrMalformed)
	case h.Crit != nil: // RFC 7515, section 4.1.11: not understood, so refused
		return jws{}, fmt.Errorf("%w: critical extension", ErrMalformed)
	}
	t := jws{kid: h.Kid, signed: token[:len(head)+1+len(body)]}
	if t.payload, err = decode(body); err != nil {
		return jws{}, fmt.Errorf("%w: payload", ErrMalformed)
	}
	if t.signature, err = decode(sig); err != nil || len(t.signature) != signatureSize {
		return jws{}, fmt.Errorf("%w: signature", ErrMalformed)
	}
	return t, nil
}

// decode reads base64url. The decoder of the standard library skips line
// breaks; RFC 7515, section 2 has none, so they are refused here.
func decode(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, base64.CorruptInputError(0)
	}
	return strict.DecodeString(s)
}

// verify checks the signature.
func (t jws) verify(key *ecdsa.PublicKey) error {
	sum := sha256.Sum256([]byte(t.signed))
	r := new(big.Int).SetBytes(t.signature[:signatureSize/2])
	s := new(big.Int).SetBytes(t.signature[signatureSize/2:])
	if !ecdsa.Verify(key, sum[:], r, s) {
		return ErrSignature
	}
	return nil
}

// claims are the members of the payload.
type claims struct {
	Issuer     string   `json:"iss"`
	Audience   audience `json:"aud"`
	IssuedAt   int64    `json:"iat"`
	Expires    int64    `json:"exp"`
	Subject    string   `json:"sub"`
	Tenant     string   `json:"tenant"`
	TenantName string   `json:"tenant_name"`
	Name       string   `json:"name"`
	Kind       string   `json:"kind"`
	Roles      []string `json:"roles"`
	Scopes     []string `json:"scopes"`
	Credential string   `json:"credential"`
	Secret     string   `json:"secret"`
	Dialect    string   `json:"dialect"`
	Method     string   `json:"method"`
}

// identity reads the payload. Call it only after verify.
func (t jws) identity() (Identity, audience, error) {
	var c claims
	if err := json.Unmarshal(t.payload, &c); err != nil {
		return Identity{}, nil, fmt.Errorf("%w: payload", ErrMalformed)
	}
	return Identity{
		Principal: c.Subject, Tenant: c.Tenant, TenantName: c.TenantName, Name: c.Name, Kind: c.Kind,
		Roles: c.Roles, Scopes: c.Scopes,
		Credential: c.Credential, Secret: c.Secret,
		Dialect: c.Dialect, Method: c.Method,
		Issuer:    c.Issuer,
		IssuedAt:  time.Unix(c.IssuedAt, 0),
		ExpiresAt: time.Unix(c.Expires, 0),
	}, c.Audience, nil
}

// audience is one string or several (RFC 7519, section 4.1.3).
type audience []string

func (a *audience) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*a = make(audience, 1)
		return json.Unmarshal(b, &(*a)[0])
	}
	return json.Unmarshal(b, (*[]string)(a))
}
