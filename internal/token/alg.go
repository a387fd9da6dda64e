package token

// Alg is a signature algorithm by its JOSE name (RFC 7518, RFC 8037).
type Alg string

// The algorithms that exist here. There is no "none" and no HMAC.
const (
	RS256 Alg = "RS256"
	RS384 Alg = "RS384"
	ES256 Alg = "ES256"
	EdDSA Alg = "EdDSA" // Ed25519
)

// RSABits is the modulus length of RSA keys made here. Keys of others are
// accepted from 2048 bits.
const RSABits = 3072
