package dpop

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"

	"gatehouse.dev/internal/secret"
)

// Algorithms are those that proofs may be signed with, as challenges list them.
const Algorithms = "ES256 ES384 EdDSA PS256 RS256"

var algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.EdDSA, jose.PS256, jose.RS256}

const (
	maxProof = 8 << 10
	maxID    = 256
	proofTyp = "dpop+jwt"

	// Window is how old a proof may be, and Ahead how far a caller's clock may
	// be before ours.
	Window = time.Minute
	Ahead  = 10 * time.Second
)

// ErrProof is every fault of a proof.
var ErrProof = errors.New("the proof of the key is not accepted")

func fault(what string) error { return fmt.Errorf("%w: %s", ErrProof, what) }

// Proof is one that was checked, except that it must be new: see [Memory].
type Proof struct {
	Key    string // thumbprint of the key (RFC 7638), as tokens name it
	ID     string // jti
	Issued time.Time
}

// Request is what a proof must be for.
type Request struct {
	Method string
	Scheme string // "https" or "http"
	Host   string // with a port, unless it is the scheme's own
	Path   string // escaped, canonical
	Token  secret.Text
}

// claims are those of RFC 9449, section 4.2.
type claims struct {
	ID     string `json:"jti"`
	Method string `json:"htm"`
	URL    string `json:"htu"`
	Issued int64  `json:"iat"`
	Token  string `json:"ath"`
}

// Check checks a proof (RFC 9449, section 4.3).
func Check(text string, r Request, now time.Time) (Proof, error) {
	if len(text) > maxProof {
		return Proof{}, fault("too long")
	}
	signed, err := jose.ParseSignedCompact(text, algorithms)
	if err != nil || len(signed.Signatures) != 1 {
		return Proof{}, fault("not a signed token of an accepted algorithm")
	}
	head := signed.Signatures[0].Protected
	if typ, _ := head.ExtraHeaders[jose.HeaderType].(string); !strings.EqualFold(typ, proofTyp) {
		return Proof{}, fault("another type of token")
	}
	key := head.JSONWebKey
	if key == nil || !key.Valid() || !key.IsPublic() || !strong(key) {
		return Proof{}, fault("no public key that is strong enough")
	}
	payload, err := signed.Verify(key.Key)
	if err != nil {
		return Proof{}, fault("wrong signature")
	}
	var c claims
	if json.Unmarshal(payload, &c) != nil {
		return Proof{}, fault("claims that cannot be read")
	}
	if err := c.fit(r, now); err != nil {
		return Proof{}, err
	}
	print, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return Proof{}, fault("no thumbprint")
	}
	return Proof{Key: base64.RawURLEncoding.EncodeToString(print), ID: c.ID, Issued: time.Unix(c.Issued, 0)}, nil
}

func strong(k *jose.JSONWebKey) bool {
	if r, ok := k.Key.(*rsa.PublicKey); ok {
		return r.N.BitLen() >= 2048 && r.N.BitLen() <= 8192
	}
	return true
}

func (c *claims) fit(r Request, now time.Time) error {
	issued := time.Unix(c.Issued, 0)
	sum := sha256.Sum256([]byte(r.Token.Reveal()))
	token := base64.RawURLEncoding.EncodeToString(sum[:])
	switch {
	case c.ID == "" || len(c.ID) > maxID:
		return fault("no jti")
	case c.Method != r.Method:
		return fault("for another method")
	case !sameTarget(c.URL, r):
		return fault("for another address")
	case issued.Before(now.Add(-Window)) || issued.After(now.Add(Ahead)):
		return fault("not of this minute")
	case subtle.ConstantTimeCompare([]byte(c.Token), []byte(token)) != 1:
		return fault("for another token")
	}
	return nil
}
