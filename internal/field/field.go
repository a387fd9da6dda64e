// Package field refuses texts that must not get further than the edge: with
// control characters, NUL, bad UTF-8 or too many bytes. What it refuses comes
// back as an [Error] that names the field, so that an edge can point at it.
package field

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Error says what is wrong with one field of a request. It never repeats the
// value, which may be a secret in the wrong place.
type Error struct {
	Field   string // as the caller knows it: "name", "constraints.networks"
	Problem string // "is longer than 128 characters"
}

func (e *Error) Error() string { return e.Field + " " + e.Problem }

// Errorf makes an Error.
func Errorf(name, format string, args ...any) error {
	return &Error{Field: name, Problem: fmt.Sprintf(format, args...)}
}

// Errors lists the fields that err complains about.
func Errors(err error) []*Error {
	var out []*Error
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			out = append(out, Errors(e)...)
		}
		return out
	}
	var e *Error
	if errors.As(err, &e) {
		return append(out, e)
	}
	return nil
}

// Line checks one line of text for people: comments and display names. It may
// be empty. Surrounding blanks are removed and the text is composed (NFC).
func Line(name, s string, limit int) (string, error) {
	if err := check(name, s, limit, func(r rune) bool { return unicode.IsControl(r) || hidden(r) }); err != nil {
		return "", err
	}
	return norm.NFC.String(strings.TrimSpace(s)), nil
}

// Name checks a name that something is found by: as [Line], and not empty.
func Name(name, s string, limit int) (string, error) {
	s, err := Line(name, s, limit)
	if err == nil && s == "" {
		err = Errorf(name, "is empty")
	}
	return s, err
}

// check looks at the text before anything walks over it, so that a long one
// costs nothing.
func check(name, s string, limit int, bad func(rune) bool) error {
	switch {
	case len(s) > 4*limit:
		return Errorf(name, "is longer than %d characters", limit)
	case !utf8.ValidString(s):
		return Errorf(name, "is not UTF-8")
	case utf8.RuneCountInString(s) > limit:
		return Errorf(name, "is longer than %d characters", limit)
	case strings.ContainsRune(s, 0):
		return Errorf(name, "contains NUL")
	case strings.ContainsFunc(s, bad):
		return Errorf(name, "contains a control or invisible character")
	}
	return nil
}

// hidden reports characters that make two names look alike, or a line read
// differently from how it is stored: direction marks, zero-width characters,
// line and paragraph separators, and what is not a character at all.
func hidden(r rune) bool {
	switch {
	case r == utf8.RuneError, r == '\u00ad', r == '\ufeff':
		return true
	case r >= '\u200b' && r <= '\u200f', r >= '\u2028' && r <= '\u202e', r >= '\u2060' && r <= '\u206f':
		return true
	case unicode.Is(unicode.Noncharacter_Code_Point, r), unicode.Is(unicode.Co, r):
		return true
	}
	return false
}
