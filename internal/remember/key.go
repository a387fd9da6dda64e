package remember

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"

	"gatehouse.dev/internal/secret"
)

// Key is the fingerprint of something presented.
type Key [sha256.Size]byte

// Fingerprints makes Keys under a random key of its own.
type Fingerprints struct{ key [32]byte }

// NewFingerprints makes a maker of fingerprints.
func NewFingerprints() *Fingerprints {
	f := &Fingerprints{}
	rand.Read(f.key[:]) // never fails
	return f
}

// Of returns the fingerprint of a secret and the words that say what it is.
// Each part counts with its length, so no two lists of parts are alike.
// Key-prefixed SHA-256 is enough where nobody ever sees a fingerprint.
func (f *Fingerprints) Of(s secret.Text, a, b, c, d, e string) Key {
	var room [1280]byte // a JWT of RSA 3072 and its words
	buf := append(room[:0], f.key[:]...)
	for _, part := range [...]string{a, b, c, d, e} {
		buf = binary.BigEndian.AppendUint32(buf, uint32(len(part)))
		buf = append(buf, part...)
	}
	buf = append(buf, s.Reveal()...)
	sum := sha256.Sum256(buf)
	clear(room[:])
	return sum
}
