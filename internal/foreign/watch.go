package foreign

import (
	"context"
	"errors"
	"sync"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/token"
)

// Bounds of asking again.
const (
	askAgain   = time.Minute // how often, for tokens that hold something open
	noAnswers  = 3           // after so many the token is ended
	maxWatched = 1 << 16
	reviewer   = "ourselves" // in the queue of those who ask
)

// watch is a token that was believed, kept for asking about it again. Nothing
// else in the program keeps a token that was shown to it.
type watch struct {
	issuer            *issuer
	tenant, principal string
	hash              string
	tok               secret.Text
	expires, seen     time.Time
	missed            int
}

type watched struct {
	mu  sync.Mutex
	all map[string]*watch // by hash
}

func (w *watched) add(one *watch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if old := w.all[one.hash]; old != nil {
		old.seen = one.seen
		return
	}
	if len(w.all) >= maxWatched { // the oldest of a few makes room
		var oldest *watch
		looked := 0
		for _, other := range w.all {
			if oldest == nil || other.seen.Before(oldest.seen) {
				oldest = other
			}
			if looked++; looked == 8 {
				break
			}
		}
		delete(w.all, oldest.hash)
	}
	w.all[one.hash] = one
}

func (w *watched) seen(one *watch) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return one.seen
}

func (w *watched) remove(one *watch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all[one.hash] == one {
		delete(w.all, one.hash)
	}
}

func (w *watched) list() []*watch {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make([]*watch, 0, len(w.all))
	for _, one := range w.all {
		all = append(all, one)
	}
	return all
}

// Run asks again, every minute, about tokens that hold something open, until
// ctx ends.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(askAgain)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			s.review(ctx)
		}
	}
}

// review asks about each token once, a few at a time.
func (s *Service) review(ctx context.Context) {
	var wg sync.WaitGroup
	turns := make(chan struct{}, askAtOnce)
	for _, one := range s.watched.list() {
		if !s.worth(one) {
			s.watched.remove(one)
			continue
		}
		turns <- struct{}{}
		wg.Go(func() {
			defer func() { <-turns }()
			s.again(ctx, one)
		})
	}
	wg.Wait()
}

// worth reports whether to ask about a token again: it has not expired, and
// something rests on it, or may yet because it is remembered.
func (s *Service) worth(one *watch) bool {
	now, seen := s.Now(), s.watched.seen(one)
	if !now.Before(one.expires.Add(leeway)) {
		return false
	}
	return s.Live.Rests(revocation.Ground{Kind: revocation.Token, ID: one.hash}) || now.Sub(seen) < 2*remember
}

// again asks about one token. An issuer that denies it ends what rests on it on
// every node, as an administrator would.
func (s *Service) again(ctx context.Context, one *watch) {
	err := one.issuer.recheck(ctx, one)
	switch {
	case err == nil:
		one.missed = 0
		return
	case !errors.Is(err, token.ErrInvalid):
		if one.missed++; one.missed < noAnswers {
			return
		}
		s.Logger.WarnContext(ctx, "an issuer does not answer for a token; it is ended", "issuer", one.issuer.Issuer, "error", err)
	}
	if err := s.end(ctx, one); err != nil {
		s.Logger.ErrorContext(ctx, "cannot end a token that its issuer denies", "issuer", one.issuer.Issuer, "error", err)
		return
	}
	s.watched.remove(one)
}

func (s *Service) end(ctx context.Context, one *watch) error {
	e, err := s.Scribe.Event(ctx, audit.By{}, audit.Event{
		Actor: "system", Action: "token.revoke", Tenant: one.tenant, Target: one.hash,
	})
	if err != nil {
		return err
	}
	_, err = s.Store.RevokeToken(ctx, token.RevokedToken{
		Hash: one.hash, Tenant: one.tenant, Principal: one.principal, Expires: one.expires.Add(leeway),
	}, e)
	return err
}

// recheck finds out whether the issuer still stands by a token.
func (i *issuer) recheck(ctx context.Context, one *watch) error {
	if i.answers != nil {
		text, err := i.answers.ask(ctx, one.hash, one.tok, reviewer)
		if err == nil {
			_, err = i.byAnswer(text)
		}
		if i.keys == nil || err == nil || errors.Is(err, token.ErrInvalid) {
			return err
		}
	}
	parsed, err := token.Parse(one.tok)
	if err != nil {
		return err
	}
	_, err = i.bySignature(ctx, one.tok, parsed)
	return err
}
