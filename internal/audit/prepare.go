package audit

import (
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"gatehouse.dev/internal/id"
)

// maxText is the longest text a row holds; the rest is cut off. Callers put
// names and reasons there, not payloads.
const maxText = 1024

// ErrUnprotected is returned for an event that carries personal fields in the
// clear. It is a mistake of the program: [Protect] was forgotten.
var ErrUnprotected = errors.New("audit event with unprotected personal fields")

// Prepare makes an event storable: it gives it an id, a time in whole
// microseconds and a count, and texts that every engine keeps unchanged (valid
// UTF-8 without NUL, of bounded length). Stores call it on everything they are
// given.
func Prepare(e Event, now time.Time) (Event, error) {
	if len(e.Personal) > 0 {
		return Event{}, ErrUnprotected
	}
	if e.At.IsZero() {
		e.At = now
	}
	if e.ID == "" {
		e.ID = newID(e.At)
	}
	e.At = time.UnixMicro(e.At.UnixMicro()).UTC()
	if e.Count == 0 {
		e.Count = 1
	}
	if e.Outcome == "" {
		e.Outcome = OK
	}
	for _, s := range []*string{
		&e.ID, &e.Node, &e.Tenant, &e.Actor, &e.Action, &e.Target,
		(*string)(&e.Outcome), &e.Reason, &e.Dialect, &e.Method, &e.Request, &e.Person,
	} {
		*s = clean(*s)
	}
	e.Personal = nil
	e.Detail = cleanMap(e.Detail)
	return e, nil
}

// newID sorts rows as they came, mostly: the index of all of them grows at its end.
func newID(at time.Time) string { return id.Dated("aud", at) }

// clean returns s as every engine stores it.
func clean(s string) string {
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	}
	if len(s) <= maxText {
		return s
	}
	end := maxText
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

func cleanMap(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	out := make(map[string]string, len(m))
	for k, v := range m {
		out[clean(k)] = clean(v)
	}
	return out
}
