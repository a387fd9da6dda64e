package secret

import (
	"fmt"
	"io"
	"log/slog"
	"unsafe"
)

// Key is key material: bytes that must not be shown, and that whoever holds them
// wipes when they are not needed any more. The zero value is no key.
type Key struct {
	_ [0]func()

	// As in Text: a slice would be printed by fmt, past every method.
	data *byte
	n    int
}

// NewKey takes over b, which nobody else may use from then on.
func NewKey(b []byte) Key { return Key{data: unsafe.SliceData(b), n: len(b)} }

// Bytes are the key itself, not a copy.
func (k Key) Bytes() []byte { return unsafe.Slice(k.data, k.n) }

// Empty reports whether there is no key.
func (k Key) Empty() bool { return k.n == 0 }

// Wipe overwrites the key with zeros. Copies made by ciphers stay.
func (k Key) Wipe() { clear(k.Bytes()) }

// String implements fmt.Stringer.
func (Key) String() string { return Redacted }

// GoString implements fmt.GoStringer.
func (Key) GoString() string { return Redacted }

// Format implements fmt.Formatter, for every verb.
func (Key) Format(f fmt.State, _ rune) { io.WriteString(f, Redacted) }

// LogValue implements slog.LogValuer.
func (Key) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalText implements encoding.TextMarshaler.
func (Key) MarshalText() ([]byte, error) { return []byte(Redacted), nil }
