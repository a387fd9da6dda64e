package principal

import (
	"strings"

	"golang.org/x/text/unicode/norm"

	"gatehouse.dev/internal/field"
)

// Limits of what people write about a principal, in characters.
const (
	MaxName        = 128
	MaxDisplayName = 200
	MaxComment     = 500
)

// NormaliseName checks a name and returns the form in which it is stored and
// found, byte by byte: composed (NFC), without blanks around it, and for users
// in lower case, as people expect of a user name.
func NormaliseName(k Kind, name string) (string, error) {
	s, err := field.Name("name", name, MaxName)
	if err != nil {
		return "", err
	}
	if k == User {
		// Lower case can undo the composition (İ), so compose again.
		s = norm.NFC.String(strings.ToLower(s))
	}
	return s, nil
}

// prefixes begin the ids of principals.
var prefixes = map[Kind]string{User: "usr", Client: "cli", Application: "app", Device: "dev", Bearer: "bea"}

// Known reports whether k is a kind there is.
func (k Kind) Known() bool { return prefixes[k] != "" }

// Prefix is what ids of that kind begin with; "" for a kind that there is not.
func (k Kind) Prefix() string { return prefixes[k] }
