package canonical

import (
	"fmt"
	"strings"
)

// Oddity is a set of things in a path that servers read differently.
type Oddity uint8

// The oddities. What each costs when a route allows it is said beside it.
const (
	// EncodedSlash is %2F. Servers that decode before they split see one
	// segment more.
	EncodedSlash Oddity = 1 << iota
	// EncodedBackslash is %5C, which Windows servers take for a slash.
	EncodedBackslash
	// EmptySegment is a doubled slash. Many servers fold it into one.
	EmptySegment
	// Semicolon begins path parameters, which Java servers cut off before they
	// look the path up (RFC 3986, section 3.3 leaves it to them).
	Semicolon
	// DoubleEscape is %25 before two hexadecimal digits: an escape for whoever
	// decodes twice.
	DoubleEscape
)

var oddityNames = []struct {
	bit  Oddity
	name string
}{
	{EncodedSlash, "%2f"},
	{EncodedBackslash, "%5c"},
	{EmptySegment, "//"},
	{Semicolon, ";"},
	{DoubleEscape, "%25"},
}

// ParseOddity reads a name as it stands in the configuration.
func ParseOddity(name string) (Oddity, error) {
	names := make([]string, 0, len(oddityNames))
	for _, n := range oddityNames {
		if n.name == name {
			return n.bit, nil
		}
		names = append(names, n.name)
	}
	return 0, fmt.Errorf("unknown path allowance %q (one of %s)", name, strings.Join(names, ", "))
}

// String lists the names, for messages: "%2f, ;".
func (o Oddity) String() string {
	var names []string
	for _, n := range oddityNames {
		if o&n.bit != 0 {
			names = append(names, n.name)
		}
	}
	return strings.Join(names, ", ")
}
