package authn

import (
	"context"
	"net/netip"
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
	last map[string]use // by secret
}

// use is when and from where.
type use struct {
	at   time.Time
	from netip.Addr
}

func (u *uses) init() { u.last = make(map[string]use) }

// take hands over what has been noted; nil when that is nothing.
func (u *uses) take() map[string]use {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.last) == 0 {
		return nil
	}
	last := u.last
	u.last = make(map[string]use)
	return last
}

// used notes that b's secret was used, and from where. On the way of every request, so it
// takes the lock only every ten seconds per belief.
func (s *Service) used(b *believed, from netip.Addr, now time.Time) {
	if b.identity.Secret == "" {
		return
	}
	before := b.noted.Load()
	if now.Unix()-before < usesGrain || !b.noted.CompareAndSwap(before, now.Unix()) {
		return
	}
	s.uses.mu.Lock()
	defer s.uses.mu.Unlock()
	if len(s.uses.last) < maxUses {
		s.uses.last[b.identity.Secret] = use{now, from}
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
	for id, u := range last {
		batch = append(batch, credential.Use{Secret: id, At: u.at, From: u.from.Unmap().WithZone("")})
	}
	if err := s.Store.NoteUses(ctx, batch); err != nil {
		s.Logger.Warn("cannot note last uses", "count", len(batch), "error", err)
	}
}
