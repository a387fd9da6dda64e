package audit

import (
	"maps"
	"time"
)

const (
	foldAfter = 3    // like failures in a minute that are kept one by one
	foldKeys  = 2048 // different failures in a minute; the rest shares one count per action
)

// folds counts like failures within a minute.
type folds struct {
	minute int64
	counts map[foldKey]*fold
}

// foldKey says which failures are alike.
type foldKey struct {
	tenant, action, dialect, reason string
	outcome                         Outcome
	source, identity                string
}

type fold struct {
	seen, folded int64
	last         Event
}

// add notes a failure, or what else may come often, and reports whether it is to
// be kept by itself. identity is whom it is about.
func (f *folds) add(e Event, identity string) bool {
	if f.counts == nil {
		f.counts = map[foldKey]*fold{}
	}
	k := foldKey{e.Tenant, e.Action, e.Dialect, e.Reason, e.Outcome, e.Personal[FieldSource], identity}
	c, ok := f.counts[k]
	if !ok && len(f.counts) >= foldKeys {
		// A flood from everywhere: only how many, not who.
		k = foldKey{tenant: e.Tenant, action: e.Action, outcome: e.Outcome}
		e = Event{
			At: e.At, Node: e.Node, Tenant: e.Tenant, Action: e.Action, Outcome: e.Outcome, Count: e.Count,
			Reason: "from many sources", Actor: "system",
		}
		if c = f.counts[k]; c == nil {
			c = &fold{seen: foldAfter}
			f.counts[k] = c
		}
	} else if !ok {
		c = &fold{}
		f.counts[k] = c
	}
	if c.seen++; c.seen <= foldAfter {
		return true
	}
	c.folded += max(e.Count, 1)
	c.last = e
	return false
}

func identityOf(e Event) string {
	if e.Person != "" {
		return e.Person
	}
	if n := e.Personal[FieldName]; n != "" {
		return n
	}
	return e.Target
}

// turn returns the counts of a minute that is over, as one event each. The zero
// time ends the minute at once.
func (f *folds) turn(now time.Time) []Event {
	minute := now.Unix() / 60
	if minute == f.minute && !now.IsZero() {
		return nil
	}
	var out []Event
	for _, c := range f.counts {
		if c.folded == 0 {
			continue
		}
		e := c.last
		e.ID, e.Count, e.Request = "", c.folded, ""
		e.Detail = maps.Clone(e.Detail)
		if e.Detail == nil {
			e.Detail = map[string]string{}
		}
		e.Detail["folded"] = "like failures of one minute"
		if e.Outcome == OK {
			e.Detail["folded"] = "alike, of one minute"
		}
		out = append(out, e)
	}
	f.minute, f.counts = minute, nil
	return out
}
