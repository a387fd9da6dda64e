package audit

import (
	"context"
	"net/netip"
	"strings"
)

// By says on whose behalf a change is made. The zero value is the program
// itself.
type By struct {
	Actor   string     // principal id, or "local" for the Unix socket; empty: "system"
	Source  netip.Addr // where the request came from
	Request string     // its id
	Dialect string     // "adminapi", "cli"
	Method  string     // how the actor proved itself
}

// Scribe fills in what all events of changes have in common.
type Scribe struct {
	Node      string
	Protector Protector // nil: source addresses are left out
}

// Event completes e, which says what was done to what, with who did it. The
// address is sealed under the key of the actor, who is the person it says
// something about.
func (s Scribe) Event(ctx context.Context, by By, e Event) (Event, error) {
	e.Node, e.Actor, e.Request, e.Dialect, e.Method = s.Node, by.Actor, by.Request, by.Dialect, by.Method
	if e.Actor == "" {
		e.Actor = "system"
	}
	if e.Outcome == "" {
		e.Outcome = OK
	}
	if s.Protector == nil || !by.Source.IsValid() {
		return e, nil
	}
	// Ids of principals have an underscore; "local" and "system" are nobody.
	if strings.Contains(by.Actor, "_") {
		e.Person = by.Actor
	}
	e.Personal = map[string]string{FieldSource: by.Source.String()}
	return Protect(ctx, s.Protector, e)
}
