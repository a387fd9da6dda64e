package token

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gatehouse.dev/internal/revocation"
)

// Uses of signing keys. Each use of a tenant has its own row of keys.
const (
	UseAccess   = "access"   // our own bearer tokens
	UseIdentity = "identity" // Gatehouse-Identity, for backends
)

// Profile is one kind of JWT: how it is signed, and how its claims are read.
type Profile struct {
	Name     string // "ayyeka", "access"
	Use      string // whose signing keys
	Alg      Alg
	Type     string        // typ; empty means "JWT"
	Lifetime time.Duration // of tokens that are issued
	KeyID    bool          // whether a kid stands in the header; without one the key is found by iat

	// Read says whose token it claims to be. It checks issuer, audience and
	// the types of the claims; times and tenant are the verifier's.
	Read func(Claims) (Subject, error)
}

// typ is the header's typ.
func (p *Profile) typ() string {
	if p.Type == "" {
		return "JWT"
	}
	return p.Type
}

// Fits reports whether a parsed token is, by its header, of this kind. Where a
// tenant has several kinds, this chooses.
func (p *Profile) Fits(t *Parsed) bool {
	if t.Alg != p.Alg || (t.KeyID != "") != p.KeyID {
		return false
	}
	// RFC 7515 section 4.1.9: without regard to case, "application/" may be
	// left out.
	typ := t.Type
	if rest, found := strings.CutPrefix(strings.ToLower(typ), "application/"); found {
		typ = rest
	}
	return strings.EqualFold(typ, p.typ())
}

// Subject is whom a token speaks for. Which fields a profile fills is its own
// affair; the verifier wants Issued, Expires and one of Tenant and
// TenantNumber.
type Subject struct {
	Tenant       string // id
	TenantNumber int64

	Principal       string // id
	PrincipalNumber int64
	Credential      string // id
	Secret          string // id
	SecretNumber    int64

	Scopes []string // nil: not narrowed
	// Audience names the dialects that it may be shown to; none: all.
	Audience []string
	Issued   time.Time
	Expires  time.Time
	ID       string // jti, or the id of an opaque token
	Grant    string // refresh family; may be empty
	// ProofKey is the thumbprint of the key that the bearer must prove to hold
	// (RFC 9449, section 6.1); empty: none.
	ProofKey string
}

// Verified is a token that is believed.
type Verified struct {
	Subject
	// Hash is the id of the token's ground: what [Hash] says for a JWT, the id
	// for an opaque token.
	Hash       string
	SigningKey string // id; empty for opaque tokens
	// Until is how long it may be remembered where that is shorter than it lives,
	// because others can take it away; zero: as long as it lives.
	Until time.Time
}

// Grounds are what a verified token adds to the grounds of its owner.
func (v *Verified) Grounds() []revocation.Ground {
	out := []revocation.Ground{{Kind: revocation.Token, ID: v.Hash}}
	if v.SigningKey != "" {
		out = append(out, revocation.Ground{Kind: revocation.SigningKey, ID: v.SigningKey})
	}
	if v.Grant != "" {
		out = append(out, revocation.Ground{Kind: revocation.Grant, ID: v.Grant})
	}
	return out
}

// accessType is the typ of RFC 9068 section 2.1.
const accessType = "at+jwt"

// AccessProfile is our own access token (RFC 9068) for one tenant: ES256 with
// kid. tenant is the id.
func AccessProfile(tenant, issuer, audience string, lifetime time.Duration) *Profile {
	return &Profile{
		Name: "access", Use: UseAccess, Alg: ES256, Type: accessType, Lifetime: lifetime, KeyID: true,
		Read: func(c Claims) (Subject, error) { return readAccess(c, tenant, issuer, audience) },
	}
}

// AccessClaims writes the claims that [AccessProfile] reads.
func AccessClaims(issuer, audience string, s Subject) []Claim {
	claims := []Claim{
		{"iss", issuer}, {"sub", s.Principal}, {"aud", audience},
		{"exp", s.Expires}, {"iat", s.Issued}, {"jti", s.ID},
		{"client_id", s.Principal}, {"cre", s.Credential}, {"sec", s.Secret},
	}
	if s.Grant != "" {
		claims = append(claims, Claim{"grt", s.Grant})
	}
	if s.ProofKey != "" {
		claims = append(claims, Claim{"cnf", map[string]string{"jkt": s.ProofKey}})
	}
	if s.Scopes != nil {
		claims = append(claims, Claim{"scope", strings.Join(s.Scopes, " ")})
	}
	return claims
}

func readAccess(c Claims, tenant, issuer, audience string) (Subject, error) {
	s := Subject{Tenant: tenant}
	if iss, err := c.Text("iss"); err != nil || iss != issuer {
		return s, fmt.Errorf("%w: another issuer", ErrClaims)
	}
	if aud, err := c.Audience(); err != nil || !slices.Contains(aud, audience) {
		return s, fmt.Errorf("%w: another audience", ErrClaims)
	}
	var err error
	text := func(name string) (v string) {
		if err == nil {
			v, err = c.Text(name)
		}
		return v
	}
	s.Principal, s.ID, s.Credential, s.Secret = text("sub"), text("jti"), text("cre"), text("sec")
	if c.Has("grt") {
		s.Grant = text("grt")
	}
	if err == nil {
		s.ProofKey, err = Confirmation(c)
	}
	if c.Has("scope") {
		s.Scopes = strings.Fields(text("scope"))
	}
	if err == nil && s.Principal == "" {
		err = claimError("sub", "a principal")
	}
	if err == nil {
		s.Issued, err = c.Time("iat")
	}
	if err == nil {
		s.Expires, err = c.Time("exp")
	}
	return s, err
}

// Confirmation reads the thumbprint of the key that a token is bound to; empty:
// none. It is the one way of confirmation that can be checked here: a token that
// wants another, or a second one, is worth nothing (RFC 7800, section 3.1).
func Confirmation(c Claims) (string, error) {
	if !c.Has("cnf") {
		return "", nil
	}
	cnf, err := c.Object("cnf")
	if err != nil {
		return "", err
	}
	key, err := cnf.Text("jkt")
	if err != nil || len(cnf.Names()) != 1 || !Thumbprint(key) {
		return "", claimError("cnf", "the thumbprint of a key")
	}
	return key, nil
}

// Thumbprint reports whether s can be one of a key (RFC 7638, with SHA-256): 32
// bytes in base64url.
func Thumbprint(s string) bool {
	b, err := base64url.DecodeString(s)
	return err == nil && len(b) == 32 && len(s) == 43 // and no line break, which the decoder skips
}
