package audit

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

const (
	sealEvery  = 250 * time.Millisecond
	sealBatch  = 1000
	headEvery  = time.Minute
	leaseName  = "audit-sealer"
	leaseTTL   = 10 * time.Second
	leaseRenew = leaseTTL / 2
)

// Sealer chains rows and signs heads. Every node runs one; the lease lets one
// at a time work, and where a lease was wrong (a clock, a long pause) the store
// refuses the second seal of a place.
type Sealer struct {
	Store  Store
	Signer Signer
	Node   string
	Log    *slog.Logger
	// OnHead, if set, is told of every head signed here, to keep a copy where
	// whoever rewrites the database cannot reach.
	OnHead func(Head) error
	Now    func() time.Time // nil: time.Now

	renewed time.Time // of the lease, zero when it is not ours
	signed  Link      // of the last head
	headAt  time.Time
}

// Run seals until ctx ends, then once more, signs the last head and gives the
// lease back. Errors are logged and tried again: rows wait in the store.
func (s *Sealer) Run(ctx context.Context) error {
	tick := time.NewTicker(sealEvery)
	defer tick.Stop()
	var failing bool
	for {
		err := s.step(ctx, false)
		if err != nil && ctx.Err() == nil && !failing {
			s.Log.Error("audit chain cannot be sealed; rows wait", "error", err)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return s.finish(context.WithoutCancel(ctx))
		case <-tick.C:
		}
	}
}

func (s *Sealer) finish(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := s.step(ctx, true); err != nil {
		return fmt.Errorf("seal the last audit rows: %w", err)
	}
	if s.renewed.IsZero() {
		return nil
	}
	s.renewed = time.Time{}
	return s.Store.ReleaseLease(ctx, leaseName, s.Node)
}

// step seals what waits, if this node holds the lease.
func (s *Sealer) step(ctx context.Context, last bool) error {
	held, err := s.lease(ctx)
	if err != nil || !held {
		return err
	}
	tip, err := s.sealAll(ctx)
	if errors.Is(err, ErrMoved) {
		s.renewed = time.Time{} // another node is at work: ask for the lease again
		return nil
	}
	if err != nil {
		return err
	}
	if now := s.now(); last || now.Sub(s.headAt) >= headEvery {
		s.headAt = now
		return s.sign(ctx, tip)
	}
	return nil
}

func (s *Sealer) lease(ctx context.Context) (bool, error) {
	now := s.now()
	if !s.renewed.IsZero() && now.Sub(s.renewed) < leaseRenew {
		return true, nil
	}
	held, err := s.Store.AcquireLease(ctx, leaseName, s.Node, leaseTTL)
	if err != nil || !held {
		s.renewed = time.Time{}
		return false, err
	}
	s.renewed = now
	return true, nil
}

func (s *Sealer) sealAll(ctx context.Context) (Link, error) {
	tip, err := s.Store.Tip(ctx)
	if err != nil {
		return Link{}, fmt.Errorf("read the end of the audit chain: %w", err)
	}
	for {
		rows, err := s.Store.UnsealedEvents(ctx, sealBatch)
		if err != nil {
			return Link{}, fmt.Errorf("read unsealed audit rows: %w", err)
		}
		if len(rows) == 0 {
			return tip, nil
		}
		seals := make([]Seal, len(rows))
		next := tip
		for i, r := range rows {
			next = Next(next, r.Event)
			seals[i] = Seal{Number: r.Number, Link: next}
		}
		if err := s.Store.SealEvents(ctx, tip, seals); err != nil {
			return Link{}, fmt.Errorf("seal audit rows: %w", err)
		}
		tip = next
		if len(rows) < sealBatch {
			return tip, nil
		}
	}
}

// sign signs the tip unless it has been signed, and writes it to every place
// that keeps heads.
func (s *Sealer) sign(ctx context.Context, tip Link) error {
	if tip.Seq == 0 || (tip.Seq == s.signed.Seq && bytes.Equal(tip.Hash, s.signed.Hash)) {
		return nil
	}
	h := Head{Link: tip, At: time.UnixMicro(s.now().UnixMicro()).UTC(), Node: s.Node}
	var err error
	if h.Key, h.Signature, err = s.Signer.SignHead(ctx, h.message()); err != nil {
		return fmt.Errorf("sign audit head: %w", err)
	}
	s.Log.Info("audit head", "seq", h.Seq, "hash", hex.EncodeToString(h.Hash),
		"at", h.At.UnixMicro(), "key", h.Key, "signature", hex.EncodeToString(h.Signature))
	if s.OnHead != nil {
		if err := s.OnHead(h); err != nil {
			return fmt.Errorf("keep a copy of the audit head: %w", err)
		}
	}
	if err := s.Store.AddHead(ctx, h); err != nil {
		return fmt.Errorf("store audit head: %w", err)
	}
	s.signed = tip
	return nil
}

func (s *Sealer) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}
