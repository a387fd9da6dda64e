// Package id makes the identifiers of everything Gatehouse keeps.
package id

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	mathrand "math/rand/v2"
	"strings"
	"time"
)

var encoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// New returns prefix, an underscore and 26 characters of randomness (130 bits),
// such as "cre_7x1k…". Identifiers are public and are never secrets.
func New(prefix string) string {
	var b [17]byte
	rand.Read(b[:])
	return format(prefix, &b)
}

// Dated is like New, and begins with the time in milliseconds (48 bits; 82 are
// random), so that an index of things made one after the other grows at its end
// and not everywhere at once.
func Dated(prefix string, at time.Time) string {
	var b [17]byte
	rand.Read(b[6:])
	ms := at.UnixMilli()
	binary.BigEndian.PutUint16(b[:], uint16(ms>>32))
	binary.BigEndian.PutUint32(b[2:], uint32(ms))
	return format(prefix, &b)
}

// Request names one request. It comes from the generator of the Go runtime,
// which the system seeds: requests are many and soon over, and nothing rests on
// their names.
func Request() string {
	var b [24]byte
	for i := 0; i < len(b); i += 8 {
		binary.NativeEndian.PutUint64(b[i:], mathrand.Uint64())
	}
	return format("req", (*[17]byte)(b[:]))
}

func format(prefix string, b *[17]byte) string {
	var room [48]byte
	text := append(append(room[:0], prefix...), '_')
	return string(encoding.AppendEncode(text, b[:])[:len(prefix)+1+26])
}

// Prefix returns what stands before the first underscore: the kind of thing.
func Prefix(s string) string {
	p, _, _ := strings.Cut(s, "_")
	return p
}
