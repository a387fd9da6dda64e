package credential

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"gatehouse.dev/internal/field"
	"gatehouse.dev/internal/secret"
)

// KeyPrefix begins every API key that is made here.
const KeyPrefix = "ghk_"

// Prefixes of the other secrets that are made here.
const (
	EncryptionPrefix = "ghe_"
	TokenPrefix      = "ghs_" // of a ScopedToken
)

// shownOfKey is how much of an API key stays readable in lists: the prefix and
// six of 43 random characters, which leaves 220 bits unknown.
const shownOfKey = len(KeyPrefix) + 6

// Shape makes the two halves of a key pair as a protocol fixes them.
type Shape func() (key string, text secret.Text)

// DefaultShapes are the pairs that are made without anybody's configuration.
// The key is public and shown in lists; the secret has 256 random bits.
var DefaultShapes = map[string]Shape{
	"gatehouse": hexAndBase64,
	"ayyeka":    hexAndBase64, // 32 upper-case hexadecimal digits, 44 characters of base64
}

func hexAndBase64() (string, secret.Text) { return secret.UpperHex(16), secret.Base64(32) }

// Limits of a password, in characters. The lower one is what one person can be
// asked to remember without a second factor; the upper one is far above what a
// hash makes use of, and below what makes hashing costly.
const (
	MinPassword = 12
	MaxPassword = 256
)

// checkPassword refuses passwords that are too easy or cannot be typed again.
// The error never shows it.
func checkPassword(pw secret.Text, name string) error {
	s := pw.Reveal()
	switch n := utf8.RuneCountInString(s); {
	case !utf8.ValidString(s):
		return field.Errorf("password", "is not UTF-8")
	case n < MinPassword:
		return field.Errorf("password", "has fewer than %d characters", MinPassword)
	case n > MaxPassword:
		return field.Errorf("password", "has more than %d characters", MaxPassword)
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return field.Errorf("password", "contains a control character")
	case strings.Contains(strings.ToLower(s), strings.ToLower(name)):
		return field.Errorf("password", "contains the user name")
	case strings.Count(s, s[:1]) == len(s):
		return field.Errorf("password", "is one character again and again")
	}
	return nil
}

// PlainDigest is the stored form of an imported API key of which only the
// SHA-256 is known: its hexadecimal digits, under scheme Hashed. Verification
// looks for it beside the digester's candidates, and replaces it at first use.
func PlainDigest(t secret.Text) []byte {
	sum := sha256.Sum256([]byte(t.Reveal()))
	return hex.AppendEncode(nil, sum[:])
}
