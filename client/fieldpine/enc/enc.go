// Package enc is the encrypted session of the FD1 protocol, profile version 1,
// as both ends use it. It does no I/O.
//
// The client sends its name; the server answers with a hash, "1$salt$nonce".
// Both ends derive K0 from the user's secret and the salt, and from K0 and a
// nonce of each side one key per direction. Every packet then travels as a
// frame: an 8-byte counter and the AES-256-GCM ciphertext of the packet. The
// counter is part of the GCM nonce and must rise by exactly one in each
// direction, so frames can neither be replayed nor reordered nor dropped.
//
// The profile is no PAKE: whoever sees a login can guess at a weak secret off
// line. Secrets are therefore generated, with 128 bits or more.
package enc

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
)

// Sizes in bytes.
const (
	NonceSize = 16 // of each side
	SaltSize  = 16
	KeySize   = 32

	counterSize = 8
	tagSize     = 16
)

// Iterations of PBKDF2-HMAC-SHA256.
const Iterations = 600_000

const version = "1"

// Errors of a session. None says more, since none is shown to the other end.
var (
	ErrHash  = errors.New("not a hash of profile version 1")
	ErrFrame = errors.New("frame is not the next one of this session")
)

// Salt is the salt of a user: the same for every login, and made by the same
// rule for users who do not exist, so that names cannot be probed. saltKey must
// never change.
func Salt(saltKey []byte, tenant, user string) [SaltSize]byte {
	mac := hmac.New(sha256.New, saltKey)
	mac.Write([]byte(tenant))
	mac.Write([]byte{0})
	mac.Write([]byte(user))
	return [SaltSize]byte(mac.Sum(nil))
}

// K0 is the long-term key of a user. It is as good as the secret: keep it sealed.
// It takes some tenths of a second.
func K0(secret string, salt [SaltSize]byte) ([]byte, error) {
	return pbkdf2.Key(sha256.New, secret, salt[:], Iterations, KeySize)
}

// NewNonce makes the nonce of one side for one login.
func NewNonce() (n [NonceSize]byte) {
	rand.Read(n[:])
	return n
}

// FormatHash writes what the server answers to a name.
func FormatHash(salt [SaltSize]byte, server [NonceSize]byte) string {
	e := base64.RawURLEncoding
	return version + "$" + e.EncodeToString(salt[:]) + "$" + e.EncodeToString(server[:])
}

// ParseHash reads it. The error is ErrHash.
func ParseHash(hash string) (salt [SaltSize]byte, server [NonceSize]byte, err error) {
	parts := strings.Split(hash, "$")
	if len(parts) != 3 || parts[0] != version {
		return salt, server, ErrHash
	}
	s, err1 := canonical(base64.RawURLEncoding, parts[1])
	n, err2 := canonical(base64.RawURLEncoding, parts[2])
	if err1 != nil || err2 != nil || len(s) != SaltSize || len(n) != NonceSize {
		return salt, server, ErrHash
	}
	return [SaltSize]byte(s), [NonceSize]byte(n), nil
}

// Session encrypts one direction and decrypts the other. One goroutine may seal
// while another one opens, not more.
type Session struct {
	in, out         cipher.AEAD
	received, sent  uint64
	associated      []byte
	sendNonceBefore []byte // the client's nonce, until its first frame has gone
}

// NewServer makes the server's end; clientNonce comes from [SplitFirst].
func NewServer(k0 []byte, server, client [NonceSize]byte, user string) (*Session, error) {
	return newSession(k0, server, client, user, "s2c ", "c2s ")
}

// NewClient makes the client's end. Its first frame carries the client's nonce
// in front.
func NewClient(k0 []byte, server, client [NonceSize]byte, user string) (*Session, error) {
	s, err := newSession(k0, server, client, user, "c2s ", "s2c ")
	if err == nil {
		s.sendNonceBefore = client[:]
	}
	return s, err
}

func newSession(k0 []byte, server, client [NonceSize]byte, user, out, in string) (*Session, error) {
	nonces := append(append(make([]byte, 0, 2*NonceSize), server[:]...), client[:]...)
	s := &Session{associated: nonces}
	var err error
	if s.out, err = direction(k0, nonces, out+user); err != nil {
		return nil, err
	}
	s.in, err = direction(k0, nonces, in+user)
	return s, err
}

func direction(k0, salt []byte, info string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, k0, salt, "fd1-enc-v1 "+info, KeySize)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// Seal encrypts the next packet of this end and returns the text of its enc
// member.
func (s *Session) Seal(packet []byte) string {
	s.sent++
	frame := make([]byte, 0, NonceSize+counterSize+len(packet)+tagSize)
	frame = append(frame, s.sendNonceBefore...)
	s.sendNonceBefore = nil
	frame = binary.BigEndian.AppendUint64(frame, s.sent)
	frame = s.out.Seal(frame, gcmNonce(s.sent), packet, s.associated)
	return base64.StdEncoding.EncodeToString(frame)
}

// Open decrypts a frame of the other end. After an error the session is over.
func (s *Session) Open(frame []byte) ([]byte, error) {
	if len(frame) < counterSize+tagSize {
		return nil, ErrFrame
	}
	counter := binary.BigEndian.Uint64(frame)
	if counter != s.received+1 {
		return nil, ErrFrame
	}
	packet, err := s.in.Open(nil, gcmNonce(counter), frame[counterSize:], s.associated)
	if err != nil {
		return nil, ErrFrame
	}
	s.received = counter
	return packet, nil
}

// Decode reads the text of an enc member.
func Decode(text string) ([]byte, error) {
	frame, err := canonical(base64.StdEncoding, text)
	if err != nil {
		return nil, ErrFrame
	}
	return frame, nil
}

// canonical takes one spelling of every value. The decoder of the standard library
// skips line breaks even when it is strict.
func canonical(e *base64.Encoding, text string) ([]byte, error) {
	if i := strings.IndexAny(text, "\r\n"); i >= 0 {
		return nil, base64.CorruptInputError(i)
	}
	return e.Strict().DecodeString(text)
}

// SplitFirst takes the first frame of a client apart.
func SplitFirst(decoded []byte) (client [NonceSize]byte, frame []byte, err error) {
	if len(decoded) < NonceSize+counterSize+tagSize {
		return client, nil, ErrFrame
	}
	return [NonceSize]byte(decoded[:NonceSize]), decoded[NonceSize:], nil
}

func gcmNonce(counter uint64) []byte {
	var n [12]byte
	binary.BigEndian.PutUint64(n[4:], counter)
	return n[:]
}
