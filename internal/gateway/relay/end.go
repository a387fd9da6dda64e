package relay

import (
	"errors"
	"io"
	"time"
)

const (
	// lastWord is how long the gate tries to get a close frame out, and linger
	// how long it then waits for the peer to answer or hang up, so that the
	// frame is not lost to a reset.
	lastWord = 200 * time.Millisecond
	linger   = time.Second
)

// pumpEnded settles what the end of one direction means for both sides.
func (r *Relay) pumpEnded(from, to *side, err error) {
	r.mu.Lock()
	r.unread = r.unread || from == r.caller
	ended, last := r.verdict != nil, r.last && from == r.caller
	r.mu.Unlock()
	if last {
		r.drain(from)
		r.finish()
	}
	if ended {
		return // whoever executes the verdict closes both
	}
	var f *fault
	switch {
	case errors.Is(err, errBye):
		r.half()
	case errors.As(err, &f):
		r.sayBye(from, f.code, f.reason, lastWord)
		r.sayBye(to, GoingAway, "", lastWord)
		r.drain(from)
		r.finish()
	case errors.As(err, new(*writeError)):
		r.sayBye(from, r.loss(to), to.name+" does not read", lastWord)
		r.drain(from)
		r.finish()
	default:
		r.sayBye(to, r.loss(from), from.name+" is gone", lastWord)
		r.half()
	}
}

// half notes that one direction has ended. The other may go on until its side
// has answered the close frame, for a while.
func (r *Relay) half() {
	r.mu.Lock()
	second := r.closing
	r.closing = true
	r.mu.Unlock()
	if second {
		r.finish()
		return
	}
	r.o.Wheel.Set(&r.goodbye, r.o.CloseTimeout, func() { go r.finish() })
}

// loss is the code that tells one side of the loss of the other. After a close
// frame it is no loss.
func (r *Relay) loss(lost *side) Code {
	r.mu.Lock()
	closing := r.closing
	r.mu.Unlock()
	if closing {
		return Normal
	}
	if lost == r.backend {
		return BadGateway
	}
	return GoingAway
}

// execute ends the relay as the gate has decided: from here on nothing passes.
// The caller is told first. With thousands of them the rest can wait until all
// have been.
func (r *Relay) execute() {
	r.cancel()
	r.o.Wheel.Tell(func() {
		if r.caller.write.TryLock() {
			said := r.bye(r.caller, r.verdict.code, r.verdict.reason, lastWord)
			r.caller.write.Unlock()
			if said {
				r.o.Wheel.Clear(r.clear)
				return
			}
		}
		go r.force() // a frame is in the way, or the caller does not read
	})
}

// clear ends what is left when the caller has been told.
func (r *Relay) clear() {
	if !r.backend.write.TryLock() { // the caller is in the middle of a frame
		go r.force()
		return
	}
	r.bye(r.backend, GoingAway, r.verdict.reason, lastWord)
	r.backend.write.Unlock()
	r.closed()
	r.backend.conn.Close() // ends its pump
	r.mu.Lock()
	r.last = !r.unread
	last := r.last
	r.mu.Unlock()
	if last {
		r.caller.conn.SetReadDeadline(time.Now().Add(linger)) // of its pump, which drains it
	} else {
		go r.leave()
	}
}

// force ends a relay that one of its pumps holds.
func (r *Relay) force() {
	v := r.verdict
	r.caller.conn.SetReadDeadline(past) // wakes the pumps
	r.backend.conn.SetReadDeadline(past)
	said := r.sayBye(r.caller, v.code, v.reason, lastWord)
	r.sayBye(r.backend, GoingAway, v.reason, lastWord)
	r.closed()
	r.backend.conn.Close()
	r.caller.conn.SetWriteDeadline(past)
	r.pumps.Wait()
	if !said { // the machine was busy, or a frame was in the way; nothing waits for this one any more
		r.sayBye(r.caller, v.code, v.reason, linger)
	}
	r.leave()
}

// leave closes a relay whose pumps end.
func (r *Relay) leave() {
	r.pumps.Wait()
	r.drain(r.caller)
	r.finish()
}

// sayBye writes a close frame, unless one was written before, or a frame is
// stuck halfway. It reports whether the side has one now.
func (r *Relay) sayBye(s *side, code Code, reason string, within time.Duration) bool {
	for deadline := time.Now().Add(within); !s.write.TryLock(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	defer s.write.Unlock()
	return r.bye(s, code, reason, within)
}

// bye is sayBye for who holds write.
func (r *Relay) bye(s *side, code Code, reason string, within time.Duration) bool {
	if s.saidBye && !s.unheard {
		return true
	}
	s.saidBye = true // whether it gets out or not, nothing follows it
	s.unheard = s.send(control(opClose, closePayload(code, reason), s == r.backend), within) != nil
	return !s.unheard
}

// drain reads until the peer hangs up, for a while. Nobody else must be
// reading.
func (r *Relay) drain(s *side) {
	r.closed()
	s.conn.SetReadDeadline(time.Now().Add(linger))
	io.Copy(io.Discard, io.LimitReader(s.conn, 1<<20))
}

// closed tells once that nothing passes any more.
func (r *Relay) closed() {
	r.over.Do(func() {
		r.o.Wheel.Stop(&r.silence)
		r.o.Wheel.Stop(&r.goodbye)
		r.cancel()
		if r.hooks.Closed != nil {
			r.hooks.Closed()
		}
	})
}

// finish closes everything. It may be called more than once.
func (r *Relay) finish() {
	r.closed()
	for _, s := range []*side{r.caller, r.backend} {
		if s != nil {
			s.conn.Close()
		}
	}
}

// look runs on the wheel's goroutine: who has been silent is pinged, and who
// stays silent is given up.
func (r *Relay) look() {
	if r.ctx.Err() != nil {
		return
	}
	for _, s := range []*side{r.caller, r.backend} {
		if s.heard.Swap(false) {
			s.missed = 0
			continue
		}
		if s.missed++; s.missed > r.o.PingsMissed {
			go r.End(GoingAway, s.name+" answers no pings")
			return
		}
		go r.ping(s)
	}
	r.o.Wheel.Set(&r.silence, r.o.PingEvery, r.look)
}

func (r *Relay) ping(s *side) {
	s.write.Lock()
	defer s.write.Unlock()
	if !s.saidBye {
		s.send(control(opPing, pingPayload, s == r.backend), r.o.WriteTimeout)
	}
}
