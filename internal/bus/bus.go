package bus

import (
	"context"
	"errors"
	"fmt"
)

// Errors that Publish returns.
var (
	ErrClosed   = errors.New("the bus is closed")
	ErrTooLarge = fmt.Errorf("message is larger than %d bytes", MaxData)
	ErrSubject  = errors.New("not a subject")
	// ErrBusy: too much is on its way already, and waiting a moment did not help.
	ErrBusy = errors.New("the bus takes no more messages at the moment")
)

// MaxData is the largest message. Buses over the network have such a limit, so
// the one in process has it too.
const MaxData = 1 << 20

// Bus carries messages. All methods are safe for concurrent use.
type Bus interface {
	// Publish hands data to everybody who is subscribed to exactly this
	// subject, and does not wait for them. The caller may reuse data.
	Publish(ctx context.Context, subject string, data []byte) error
	// Subscribe calls fn for each message, one at a time, until unsubscribe is
	// called. After that no call begins, though one may still be running;
	// unsubscribe may be called more than once, and from fn. It panics when
	// subject is not one ([CheckSubject]), which is a mistake in the program.
	Subscribe(subject string, fn func(Message)) (unsubscribe func())
}

// Message is what a subscriber gets. Data is shared with other subscribers and
// must not be changed.
type Message struct {
	Subject string
	Data    []byte
	// Lost is how many messages before this one the subscriber missed because
	// it was too slow. A bus that cannot count says at least 1.
	Lost int
}

// CheckSubject reports whether s is a subject: words of letters, digits, "-"
// and "_" with dots between them, at most 200 bytes. No wildcards.
func CheckSubject(s string) error {
	if s == "" || len(s) > 200 {
		return fmt.Errorf("%w: %d bytes long", ErrSubject, len(s))
	}
	begins := true
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
			begins = false
		case c == '.' && !begins && i < len(s)-1:
			begins = true
		default:
			return fmt.Errorf("%w: byte %d of %q", ErrSubject, i, s)
		}
	}
	return nil
}
