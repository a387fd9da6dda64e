package authn

import (
	"fmt"
	"time"
)

// Kind is what a dialect renders in its own words: status, body, silence or
// close code.
type Kind uint8

// The kinds.
const (
	// Missing: nothing was presented.
	Missing Kind = iota + 1
	// Malformed: what was presented cannot be right in any store.
	Malformed
	// Invalid: unknown, wrong, locked, disabled, from the wrong network, or
	// throttled as an identity. One look for all of them.
	Invalid
	// Expired: a token whose time is over. It is rendered like Invalid, unless
	// the protocol may say so. Nobody checked its signature.
	Expired
	// Throttled: the source must wait, or a request limit is reached. 429 with
	// RetryAfter.
	Throttled
	// Denied: known, but not allowed to do this.
	Denied
	// Unavailable: nothing could be decided (log not fresh, store down, too
	// much waiting). 503 with RetryAfter.
	Unavailable
)

func (k Kind) String() string {
	switch k {
	case Missing:
		return "missing"
	case Malformed:
		return "malformed"
	case Invalid:
		return "invalid"
	case Expired:
		return "expired"
	case Throttled:
		return "throttled"
	case Denied:
		return "denied"
	case Unavailable:
		return "unavailable"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Refusal is every error of this package. Callers learn Kind and RetryAfter;
// Reason and Err are for the audit record and the log.
type Refusal struct {
	Kind       Kind
	RetryAfter time.Duration // with Throttled and Unavailable
	Reason     string        // a few fixed words, never what was presented
	Err        error         // what went wrong, for Unavailable

	// target and person are the credential and the principal it was about.
	target, person string
	// mine: it was about where this caller comes from, so it holds for nobody
	// else who shows the same.
	mine bool
}

func (r *Refusal) Error() string {
	if r.Err != nil {
		return fmt.Sprintf("%v: %s: %v", r.Kind, r.Reason, r.Err)
	}
	return fmt.Sprintf("%v: %s", r.Kind, r.Reason)
}

func (r *Refusal) Unwrap() error { return r.Err }

// Temporary reports whether asking again later may help.
func (r *Refusal) Temporary() bool { return r.Kind == Unavailable || r.Kind == Throttled }

// retrySoon is the wait named where nobody knows how long it takes.
const retrySoon = 2 * time.Second

func invalid(reason string) *Refusal { return &Refusal{Kind: Invalid, Reason: reason} }

func unavailable(reason string, err error) *Refusal {
	return &Refusal{Kind: Unavailable, RetryAfter: retrySoon, Reason: reason, Err: err}
}
