package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strconv"

	"gatehouse.dev/internal/secret"
)

// PublicKey verifies signatures of exactly one algorithm. Make it with
// [NewPublicKey]; the zero value verifies nothing.
type PublicKey struct {
	id  string
	alg Alg
	key crypto.PublicKey
}

// NewPublicKey binds a key to its algorithm. It refuses keys that are of
// another family or too weak.
func NewPublicKey(id string, alg Alg, key crypto.PublicKey) (PublicKey, error) {
	ok := false
	switch k := key.(type) {
	case *rsa.PublicKey:
		ok = (alg == RS256 || alg == RS384) && k.N.BitLen() >= 2048 && k.N.BitLen() <= 8192 &&
			k.N.Bit(0) == 1 && k.E >= 3 && k.E%2 == 1
	case *ecdsa.PublicKey:
		_, err := k.ECDH() // the point must be on the curve
		ok = alg == ES256 && k.Curve == elliptic.P256() && err == nil
	case ed25519.PublicKey:
		ok = alg == EdDSA && len(k) == ed25519.PublicKeySize
	}
	if !ok {
		return PublicKey{}, fmt.Errorf("a %T does not suit %s", key, alg)
	}
	return PublicKey{id: id, alg: alg, key: key}, nil
}

// ID is the key's name, which tokens carry as kid where a kid is written.
func (k PublicKey) ID() string { return k.id }

// Alg is the only algorithm the key is good for.
func (k PublicKey) Alg() Alg { return k.alg }

// Key is the key itself.
func (k PublicKey) Key() crypto.PublicKey { return k.key }

// Verify checks the signature of a parsed token. The algorithm is the key's;
// a token that names another is refused ([ErrProfile], [ErrSignature]).
func (p *Parsed) Verify(k PublicKey) error {
	if p.Alg != k.alg {
		return ErrProfile
	}
	if !k.verify(p.signed, p.signature) {
		return ErrSignature
	}
	return nil
}

func (k PublicKey) verify(message string, signature []byte) bool {
	switch key := k.key.(type) {
	case *rsa.PublicKey:
		hash, digest := digest(k.alg, message)
		return rsa.VerifyPKCS1v15(key, hash, digest, signature) == nil
	case *ecdsa.PublicKey:
		if len(signature) != 64 { // RFC 7518 section 3.4: r and s, 32 bytes each
			return false
		}
		_, digest := digest(k.alg, message)
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		return ecdsa.Verify(key, digest, r, s)
	case ed25519.PublicKey:
		return ed25519.Verify(key, []byte(message), signature)
	}
	return false
}

func digest(alg Alg, message string) (crypto.Hash, []byte) {
	if alg == RS384 {
		sum := sha512.Sum384([]byte(message))
		return crypto.SHA384, sum[:]
	}
	sum := sha256.Sum256([]byte(message))
	return crypto.SHA256, sum[:]
}

// PrivateKey signs with exactly one algorithm.
type PrivateKey struct {
	PublicKey
	signer crypto.Signer
}

// GenerateKey makes a key. RSA takes a second or so.
func GenerateKey(id string, alg Alg) (*PrivateKey, error) {
	var signer crypto.Signer
	var err error
	switch alg {
	case RS256, RS384:
		signer, err = rsa.GenerateKey(rand.Reader, RSABits)
	case ES256:
		signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case EdDSA:
		_, signer, err = ed25519.GenerateKey(rand.Reader)
	default:
		err = errors.New("unknown algorithm")
	}
	if err != nil {
		return nil, fmt.Errorf("generate %s key: %w", alg, err)
	}
	return NewPrivateKey(id, alg, signer)
}

// NewPrivateKey binds a key to its algorithm.
func NewPrivateKey(id string, alg Alg, signer crypto.Signer) (*PrivateKey, error) {
	public, err := NewPublicKey(id, alg, signer.Public())
	if err != nil {
		return nil, err
	}
	return &PrivateKey{PublicKey: public, signer: signer}, nil
}

// SignJWT writes a compact JWS over claims, which must be a JSON object (see
// [Encode]). The header has alg, then typ, then kid when withID is set.
func (k *PrivateKey) SignJWT(typ string, withID bool, claims []byte) (secret.Text, error) {
	header := append([]byte(`{"alg":"`), k.alg...)
	header = append(header, `","typ":`...)
	header = strconv.AppendQuote(header, typ)
	if withID {
		header = strconv.AppendQuote(append(header, `,"kid":`...), k.id)
	}
	header = append(header, '}')

	enc := base64.RawURLEncoding
	buf := make([]byte, 0, enc.EncodedLen(len(header))+enc.EncodedLen(len(claims))+2+enc.EncodedLen(RSABits/8))
	buf = append(enc.AppendEncode(buf, header), '.')
	buf = enc.AppendEncode(buf, claims)
	signature, err := k.Sign(string(buf))
	if err != nil {
		return secret.Text{}, err
	}
	buf = enc.AppendEncode(append(buf, '.'), signature)
	return secret.New(string(buf)), nil
}

// Sign signs a message, in the form that JWS gives a signature.
func (k *PrivateKey) Sign(message string) ([]byte, error) {
	switch key := k.signer.(type) {
	case *rsa.PrivateKey:
		hash, digest := digest(k.alg, message)
		return rsa.SignPKCS1v15(nil, key, hash, digest)
	case *ecdsa.PrivateKey:
		_, digest := digest(k.alg, message)
		r, s, err := ecdsa.Sign(rand.Reader, key, digest)
		if err != nil {
			return nil, err
		}
		out := make([]byte, 64)
		r.FillBytes(out[:32])
		s.FillBytes(out[32:])
		return out, nil
	case ed25519.PrivateKey:
		return ed25519.Sign(key, []byte(message)), nil
	}
	return nil, fmt.Errorf("a %T cannot sign", k.signer)
}
