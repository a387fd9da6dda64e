package throttle

import "time"

// Turn is one admitted attempt. Exactly one of Failed, Succeeded and Dropped
// must be called when the outcome is known; until then it counts like a
// failure. The zero Turn, which comes with every refusal, does nothing.
type Turn struct {
	t                      *Throttle
	pair, source, identity digest
	spared                 bool // a known source: the identity's own limit is not asked
}

// Ask admits or refuses an attempt at a weak secret.
//
// An attempt refused as Wrong counts as a failure of its source: whoever goes
// on hammering a name that is paused becomes a source that is told to wait.
// It does not prolong the name's own pause, so the owner is let in when that
// is over however often his program retried.
func (t *Throttle) Ask(now time.Time, k Key) (Turn, Verdict) {
	at := t.at(now)
	turn := Turn{t: t}
	turn.pair, turn.source, turn.identity = t.digests(k)

	if w := t.source.reserve(t.sources, turn.source, at); w > 0 {
		return Turn{}, later(w)
	}
	if t.pair.reserve(t.pairs, turn.pair, at) > 0 {
		t.source.settle(t.sources, turn.source, at, failed)
		return Turn{}, Verdict{Kind: Wrong}
	}
	turn.spared = t.known.has(turn.pair, at)
	if !turn.spared && t.identity.reserve(t.identities, turn.identity, at) > 0 {
		t.pair.settle(t.pairs, turn.pair, at, dropped)
		t.source.settle(t.sources, turn.source, at, failed)
		return Turn{}, Verdict{Kind: Wrong}
	}
	return turn, Verdict{}
}

// Failed says that the secret was wrong, or the identity unknown.
func (u Turn) Failed(now time.Time) { u.settle(now, failed, failed, failed) }

// Succeeded says that the secret was right. It clears the account of identity
// and source together and makes the source known. The source's own account
// stays: otherwise one valid account would pay for guessing at all others.
func (u Turn) Succeeded(now time.Time) {
	u.settle(now, cleared, dropped, dropped)
	if u.t != nil {
		u.t.known.add(u.pair, u.t.at(now))
	}
}

// Dropped says that nothing was found out, because a store did not answer or
// the caller went away before the secret was looked at.
func (u Turn) Dropped(now time.Time) { u.settle(now, dropped, dropped, dropped) }

func (u Turn) settle(now time.Time, pair, source, identity outcome) {
	if u.t == nil {
		return
	}
	at := u.t.at(now)
	u.t.pair.settle(u.t.pairs, u.pair, at, pair)
	u.t.source.settle(u.t.sources, u.source, at, source)
	if !u.spared {
		u.t.identity.settle(u.t.identities, u.identity, at, identity)
	}
}

type outcome uint8

const (
	dropped outcome = iota // only no longer pending
	failed
	cleared
)

// reserve notes a pending attempt of d, or says how long it must wait.
func (r *rules) reserve(t *table, d digest, now int64) (wait int64) {
	s := t.lock(d)
	defer s.mu.Unlock()
	// A refusal needs no place, so refused keys push nobody out.
	m := s.peek(d)
	if w := r.wait(&m, now); w > 0 {
		return w
	}
	held := s.enter(d)
	if held == nil {
		return undecided
	}
	held.pending++
	return 0
}

// settle ends a pending attempt. Entries with pending attempts keep their
// place, so it is always found.
func (r *rules) settle(t *table, d digest, now int64, o outcome) {
	s := t.lock(d)
	defer s.mu.Unlock()
	m := s.find(d)
	if m == nil || m.pending == 0 {
		return
	}
	m.pending--
	switch o {
	case failed:
		r.fail(m, now)
	case cleared:
		*m = meter{pending: m.pending}
	}
}
