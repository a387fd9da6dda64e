package password

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"gatehouse.dev/internal/secret"
)

// matches does the work of one check. Argon2id, bcrypt and PBKDF2 must run
// under a turn of the queue.
func (h Hash) matches(pw secret.Text) bool {
	switch h.kind {
	case Argon2id:
		p := h.argon
		sum := argon2.IDKey([]byte(pw.Reveal()), h.salt, p.Time, p.Memory, p.Lanes, uint32(len(h.sum)))
		return subtle.ConstantTimeCompare(sum, h.sum) == 1
	case Bcrypt:
		// bcrypt looks at the first 72 bytes; so did the system that made
		// this hash.
		b := []byte(pw.Reveal())
		return bcrypt.CompareHashAndPassword([]byte(h.encoded), b[:min(len(b), 72)]) == nil
	case PBKDF2SHA256:
		sum, err := pbkdf2.Key(sha256.New, pw.Reveal(), h.salt, h.rounds, len(h.sum))
		return err == nil && subtle.ConstantTimeCompare(sum, h.sum) == 1
	case PBKDF2SHA512:
		sum, err := pbkdf2.Key(sha512.New, pw.Reveal(), h.salt, h.rounds, len(h.sum))
		return err == nil && subtle.ConstantTimeCompare(sum, h.sum) == 1
	case SHA256:
		d := sha256.New()
		d.Write(h.salt)
		d.Write([]byte(pw.Reveal()))
		return subtle.ConstantTimeCompare(d.Sum(nil), h.sum) == 1
	}
	return false
}

// cheap reports whether checking h costs clearly less than our own Argon2id.
func (h Hash) cheap() bool {
	switch h.kind {
	case SHA256:
		return true
	case PBKDF2SHA256, PBKDF2SHA512:
		return h.rounds < cheapRounds
	case Bcrypt:
		return h.rounds < 9
	}
	return false
}
