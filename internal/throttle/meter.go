package throttle

import "time"

// meter is what one key has on its account. All fields but pending are moments
// (nanoseconds since the table was made) and mean nothing once past. That has
// two uses: meters cool down without being visited, and the field-by-field
// maximum of two meters is, at every later moment, at least either of them.
type meter struct {
	// empty is when all counted failures have leaked away: the "theoretical
	// arrival time" of GCRA. Each failure moves it on by Per/Failures.
	empty int64
	// until is the end of the pause, if there is one.
	until int64
	// strikes is when all past pauses are forgotten; each adds strikeMemory.
	strikes int64
	// pending attempts were admitted and have not reported yet.
	pending int32
}

// strikeMemory is how long it takes to be forgiven one pause.
const strikeMemory = int64(30 * time.Minute)

// merge raises m to at least o in every field. Attempts that are pending stay
// with the entry that admitted them.
func (m *meter) merge(o meter) {
	m.empty = max(m.empty, o.empty)
	m.until = max(m.until, o.until)
	m.strikes = max(m.strikes, o.strikes)
}

// heat orders meters by when there is nothing left to remember.
func (m *meter) heat() int64 { return max(m.empty, m.until, m.strikes) }

// rules are a Limit in the units of a meter.
type rules struct {
	window    int64 // Limit.Per
	cost      int64 // of one failure: window/Failures
	slack     int64 // Limit.Parallel
	firstStop int64
	longStop  int64
}

func (l Limit) rules(first, longest time.Duration) rules {
	return rules{
		window:    int64(l.Per),
		cost:      int64(l.Per) / int64(l.Failures),
		slack:     int64(l.Parallel),
		firstStop: int64(first),
		longStop:  int64(longest),
	}
}

// undecided is the wait suggested when only pending attempts stand in the way.
const undecided = int64(time.Second)

// wait says how long m must wait before its next attempt; 0 is now.
func (r *rules) wait(m *meter, now int64) int64 {
	if now < m.until {
		return m.until - now
	}
	debt := max(m.empty-now, 0)
	room := (r.window - debt) / r.cost
	if room < 1 {
		return debt - (r.window - r.cost)
	}
	if int64(m.pending) >= room+r.slack {
		return undecided
	}
	return 0
}

// fail counts one failure and, when that uses up the allowance, starts a pause
// twice as long as the one before.
func (r *rules) fail(m *meter, now int64) {
	m.empty = min(max(m.empty, now)+r.cost, now+r.window)
	if now < m.until || m.empty-now <= r.window-r.cost {
		return
	}
	m.until = now + r.pause(m, now)
	m.strikes = max(m.strikes, now) + strikeMemory
}

// pause is the length of the next pause.
func (r *rules) pause(m *meter, now int64) int64 {
	before := (max(m.strikes-now, 0) + strikeMemory - 1) / strikeMemory
	p := r.firstStop
	for ; before > 0 && p < r.longStop; before-- {
		p *= 2
	}
	return min(p, r.longStop)
}
