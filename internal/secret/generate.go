package secret

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"hash/crc32"
	"math/big"
	"strings"
)

const (
	base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

	randomLen   = 43 // 62^43 > 2^256
	checksumLen = 6  // 62^6 > 2^32
)

// Generate makes a secret of 256 random bits: prefix, 43 letters and digits,
// and 6 more that are the checksum of all before them. A prefix names what the
// secret opens and ends in an underscore, as in "ghk_".
func Generate(prefix string) Text {
	var b strings.Builder
	b.Grow(len(prefix) + randomLen + checksumLen)
	b.WriteString(prefix)
	writeRandom62(&b, randomLen)
	sum := checksum(b.String())
	b.Write(sum[:])
	return New(b.String())
}

// Assemble gives 256 bits that come from elsewhere the shape of [Generate].
func Assemble(prefix string, random [32]byte) Text {
	var body [randomLen]byte
	n, rest, base := new(big.Int).SetBytes(random[:]), new(big.Int), big.NewInt(int64(len(base62)))
	for i := len(body) - 1; i >= 0; i-- {
		n.QuoRem(n, base, rest)
		body[i] = base62[rest.Int64()]
	}
	s := prefix + string(body[:])
	sum := checksum(s)
	return New(s + string(sum[:]))
}

// WellFormed reports whether t could have come from [Generate] with this
// prefix. One in four billion random strings passes, so a typing error or
// a scanner's guess is refused without a look-up. It says nothing about
// whether the secret exists, and need not take constant time: who knows a
// secret can compute its checksum himself.
func WellFormed(prefix string, t Text) bool {
	s := t.Reveal()
	if len(s) != len(prefix)+randomLen+checksumLen || !strings.HasPrefix(s, prefix) {
		return false
	}
	body, tail := s[:len(s)-checksumLen], s[len(s)-checksumLen:]
	sum := checksum(body)
	return string(sum[:]) == tail
}

// UpperHex makes n random bytes and writes them as 2n upper-case hexadecimal
// digits. It is a plain string because protocols use this shape for the public
// half of a pair, which is shown in lists.
func UpperHex(n int) string { return strings.ToUpper(hex.EncodeToString(randomBytes(n))) }

// IsUpperHex reports whether s has the shape that [UpperHex] gives for n.
func IsUpperHex(n int, s string) bool {
	if len(s) != 2*n {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

// Base64 makes a secret of n random bytes in padded standard base64. For 32
// bytes that is 44 characters.
func Base64(n int) Text { return New(base64.StdEncoding.EncodeToString(randomBytes(n))) }

// IsBase64 reports whether t has the shape that [Base64] gives for n. A
// credential imported from elsewhere may have another shape; ask this only
// about what was generated here.
func IsBase64(n int, t Text) bool {
	s := t.Reveal()
	if len(s) != base64.StdEncoding.EncodedLen(n) || strings.ContainsAny(s, "\r\n") {
		return false
	}
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	return err == nil && len(b) == n
}

// writeRandom62 appends n characters drawn evenly from base62.
func writeRandom62(b *strings.Builder, n int) {
	var pool [64]byte
	for {
		rand.Read(pool[:])
		for _, c := range pool {
			// 248 is the largest multiple of 62 in a byte; what lies above
			// would make the first characters likelier.
			if c >= 248 {
				continue
			}
			b.WriteByte(base62[c%62])
			if n--; n == 0 {
				return
			}
		}
	}
}

// checksum is CRC-32 (IEEE) of s in six base-62 digits.
func checksum(s string) (out [checksumLen]byte) {
	sum := crc32.ChecksumIEEE([]byte(s))
	for i := checksumLen - 1; i >= 0; i-- {
		out[i] = base62[sum%62]
		sum /= 62
	}
	return out
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}
