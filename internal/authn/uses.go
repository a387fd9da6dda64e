package authn

import (
	"context"
	"sync"
	"time"

	"gatehouse.dev/internal/credential"
)

const (
	usesPause   = 2 * time.Second // between writes
	usesTimeout = 5 * time.Second
	usesGrain   = 10 // seconds within which the same secret is not noted again
	maxUses     = 1 << 16
)

// uses are the last uses of secrets that are not written down yet.
type uses struct {
	mu   sync.Mutex
	last map[string]time.Time
}

func (u *uses) init() { u.last = make(map[string]time.Time) }

// take hands over what has been noted; nil when that is nothing.
func (u *uses) take() map[string]time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.last) == 0 {
		return nil
	}
	last := u.last
	u.last = make(map[string]time.Time)
	return last
}

// used notes that b's secret was used. On the way of every request, so it
// takes the lock only every ten seconds per belief.
func (s *Service) used(b *believed) {
	if b.identity.Secret == "" {
		return
	}
	now := s.Now()
	before := b.noted.Load()
	if now.Unix()-before < usesGrain || !b.noted.CompareAndSwap(before, now.Unix()) {
		return
	}
	s.uses.mu.Lock()
	defer s.uses.mu.Unlock()
	if len(s.uses.last) < maxUses {
		s.uses.last[b.identity.Secret] = now
	}
}

// flushUses writes down what has been noted. What cannot be written is lost:
// the next use says more.
func (s *Service) flushUses(ctx context.Context) {
	last := s.uses.take()
	if len(last) == 0 {
		return
	}
	batch := make([]credential.Use, 0, len(last))
	for id, at := range last {
		batch = append(batch, credential.Use{Secret: id, At: at})
	}
	if err := s.Store.NoteUses(ctx, batch); err != nil {
		s.Logger.Warn("cannot note last uses", "count", len(batch), "error", err)
	}
}
