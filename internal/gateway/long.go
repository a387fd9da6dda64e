package gateway

import (
	"context"
	"net/http"
	"sync"
	"time"

	"gatehouse.dev/internal/live"
)

// endedError is the cause of an exchange that the gate has ended.
type endedError struct{ code live.Code }

func (e *endedError) Error() string { return e.code.String() }

// lastWord is how long an exchange that was ended may go on writing.
const lastWord = 100 * time.Millisecond

// long watches one exchange. Most are over before anybody notices; one that
// lasts is put in the live index and ends when its grounds go.
type long struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer

	mu     sync.Mutex
	over   bool
	handle *live.Handle
}

func (f *Forwarder) watch(r *http.Request, w http.ResponseWriter, c *carriage) *long {
	l := &long{}
	l.ctx, l.cancel = context.WithCancelCause(r.Context())
	l.timer = time.AfterFunc(f.longAfter, func() { f.hold(l, w, c) })
	return l
}

// hold puts an exchange that lasts in the index. Whatever speaks against that
// ends it.
func (f *Forwarder) hold(l *long, w http.ResponseWriter, c *carriage) {
	name := c.dialect
	if name == "" {
		name = Name
	}
	end := func(cause live.Cause) {
		l.cancel(&endedError{cause.Code})
		// A write to a caller who does not read would hold this up. Whoever
		// still has the refusal to write gets the time for it.
		time.AfterFunc(lastWord, func() { l.stopWriting(w) })
	}
	h, err := f.door.Hold(l.ctx, c.id, live.Conn{
		Kind: live.Request, Dialect: name, Route: c.route, Remote: c.facts.Remote, Recheck: c.recheck, End: end,
	})
	if err != nil {
		code := live.Revoked
		if asRefusal(err).Temporary() {
			code = live.NotFresh
		}
		end(live.Cause{Code: code})
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		h.Close()
		return
	}
	l.handle = h
}

// stopWriting wakes whoever writes the answer, unless it is over: the
// connection then serves somebody else.
func (l *long) stopWriting(w http.ResponseWriter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.over {
		http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0))
	}
}

func (l *long) close() {
	l.timer.Stop()
	l.mu.Lock()
	l.over = true
	h := l.handle
	l.mu.Unlock()
	if h != nil {
		h.Close()
	}
	l.cancel(context.Canceled)
}
