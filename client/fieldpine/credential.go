package fieldpine

import "fmt"

// Credential is what a login shows. Make one with APIKey, Token or
// EncryptedUser.
type Credential struct {
	member, value string
	secret        string // of an encrypted user; never sent
}

// APIKey is for computers.
func APIKey(key string) Credential { return Credential{member: "apikey", value: key} }

// Token is short-term access to one thing, such as the sale that a QR code
// names; the whole link may be given.
func Token(token string) Credential { return Credential{member: "token", value: token} }

// EncryptedUser logs in by name and encrypts every packet under the secret,
// which is not sent (see package enc).
func EncryptedUser(name, secret string) Credential {
	return Credential{member: "encryption_user", value: name, secret: secret}
}

// String implements fmt.Stringer without showing what is secret.
func (c Credential) String() string { return "fieldpine " + c.member }

// Format implements fmt.Formatter, for every verb.
func (c Credential) Format(f fmt.State, _ rune) { fmt.Fprint(f, c.String()) }
