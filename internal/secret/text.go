package secret

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
	"unsafe"
)

// Redacted is what every secret prints as.
const Redacted = "[redacted]"

// Text is a password, key, token or any other text that must not be shown.
// The zero value is the empty secret. Texts are not comparable with ==; use
// [Text.Equal].
type Text struct {
	_ [0]func() // forbids ==, which would compare in variable time

	// A pointer and a length rather than a string: fmt reaches unexported
	// fields by reflection, past every method, and would print a string.
	data *byte
	n    int
}

// New wraps s.
func New(s string) Text { return Text{data: unsafe.StringData(s), n: len(s)} }

// Reveal returns the value. Call it as late as possible, and only to hash, to
// compare, to send or to show it once to its owner.
func (t Text) Reveal() string { return unsafe.String(t.data, t.n) }

// Len is the number of bytes.
func (t Text) Len() int { return t.n }

// Empty reports whether there is nothing in it.
func (t Text) Empty() bool { return t.n == 0 }

// Equal compares in time that depends on neither content nor length.
func (t Text) Equal(o Text) bool {
	a, b := sha256.Sum256([]byte(t.Reveal())), sha256.Sum256([]byte(o.Reveal()))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// String implements fmt.Stringer.
func (Text) String() string { return Redacted }

// GoString implements fmt.GoStringer.
func (Text) GoString() string { return Redacted }

// Format implements fmt.Formatter, for every verb.
func (Text) Format(f fmt.State, _ rune) { io.WriteString(f, Redacted) }

// LogValue implements slog.LogValuer.
func (Text) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalText implements encoding.TextMarshaler: JSON and YAML show the
// placeholder.
func (Text) MarshalText() ([]byte, error) { return []byte(Redacted), nil }
