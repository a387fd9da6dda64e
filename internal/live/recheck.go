package live

import (
	"context"
	"errors"
	"sync"
	"time"
)

// each calls f for all of hs, a bounded number at a time.
func (x *Index) each(hs []*Handle, f func(*Handle)) {
	next := make(chan *Handle)
	var workers sync.WaitGroup
	for range min(x.opts.Rechecks, len(hs)) {
		workers.Go(func() {
			for h := range next {
				f(h)
			}
		})
	}
	for _, h := range hs {
		next <- h
	}
	close(next)
	workers.Wait()
}

const (
	recheckTries   = 4
	recheckPause   = 200 * time.Millisecond
	recheckTimeout = 2 * time.Second
)

// recheck asks whether h is still allowed, and ends it when not. Whoever cannot
// be asked within a few tries is ended too: rights are not assumed.
func (x *Index) recheck(h *Handle, cause Cause, t *tally) {
	if h.conn.Recheck == nil {
		x.endFor(h, cause, t)
		return
	}
	for try := range recheckTries {
		if h.Ended() != 0 {
			return
		}
		if try > 0 {
			time.Sleep(recheckPause)
		}
		err := x.askAgain(h)
		if err == nil {
			return
		}
		if !temporary(err) {
			x.endFor(h, cause, t)
			return
		}
	}
	x.endFor(h, Cause{Code: NotFresh, Change: cause.Change}, t)
}

// errMeanwhile is the temporary error of an answer that was overtaken by
// another revocation.
type errMeanwhile struct{}

func (errMeanwhile) Error() string   { return "something was taken away while asking" }
func (errMeanwhile) Temporary() bool { return true }

func (x *Index) askAgain(h *Handle) error {
	ctx, cancel := context.WithTimeout(context.Background(), recheckTimeout)
	defer cancel()
	now, err := h.conn.Recheck(ctx)
	if err != nil {
		return err
	}
	// As when opening: first in the index, then checked.
	x.Replace(h, now)
	if k := x.knows.Load(); k == nil || !(*k).Intact(now.Grounds, now.AsOf) {
		return errMeanwhile{}
	}
	return nil
}

func temporary(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary() || errors.Is(err, context.DeadlineExceeded)
}
