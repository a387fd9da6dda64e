package audit_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"gatehouse.dev/internal/audit"
)

// memory is a store with an open back door, for those who want to tamper.
type memory struct {
	mu     sync.Mutex
	rows   []audit.Row
	heads  []audit.Head
	number int64
	holder string
	until  time.Time
	err    error // what every write returns, when set
	calls  int   // of AppendEvents
}

func (m *memory) AppendEvents(_ context.Context, events []audit.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	if m.err != nil {
		return m.err
	}
	for _, e := range events {
		e, err := audit.Prepare(e, time.Now())
		if err != nil {
			return err
		}
		if slices.ContainsFunc(m.rows, func(r audit.Row) bool { return r.ID == e.ID }) {
			continue
		}
		m.number++
		m.rows = append(m.rows, audit.Row{Event: e, Number: m.number})
	}
	return nil
}

func (m *memory) Events(_ context.Context, f audit.Filter) ([]audit.Row, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []audit.Row
	for _, r := range m.rows {
		if f.Action == "" || r.Action == f.Action || strings.HasPrefix(r.Action, strings.TrimSuffix(f.Action, "*")) && strings.HasSuffix(f.Action, "*") {
			out = append(out, r)
		}
	}
	return out, nil
}

func (m *memory) AcquireLease(_ context.Context, _, holder string, ttl time.Duration) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return false, m.err
	}
	if m.holder != holder && m.holder != "" && time.Now().Before(m.until) {
		return false, nil
	}
	m.holder, m.until = holder, time.Now().Add(ttl)
	return true, nil
}

func (m *memory) ReleaseLease(_ context.Context, _, holder string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.holder == holder {
		m.holder = ""
	}
	return nil
}

func (m *memory) tip() audit.Link {
	var tip audit.Link
	for _, r := range m.rows {
		if r.Seq > tip.Seq {
			tip = audit.Link{Seq: r.Seq, Hash: r.Hash}
		}
	}
	for _, h := range m.heads {
		if h.Seq > tip.Seq {
			tip = h.Link
		}
	}
	return tip
}

func (m *memory) Tip(context.Context) (audit.Link, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tip(), nil
}

func (m *memory) UnsealedEvents(_ context.Context, limit int) ([]audit.Row, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []audit.Row
	for _, r := range m.rows {
		if r.Seq == 0 && len(out) < limit {
			out = append(out, r)
		}
	}
	return out, nil
}

func (m *memory) SealEvents(_ context.Context, tip audit.Link, seals []audit.Seal) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := m.tip(); now.Seq != tip.Seq || !bytes.Equal(now.Hash, tip.Hash) {
		return audit.ErrMoved
	}
	for _, s := range seals {
		for i := range m.rows {
			if m.rows[i].Number == s.Number {
				m.rows[i].Seq, m.rows[i].Hash = s.Seq, s.Hash
			}
		}
	}
	return nil
}

func (m *memory) ChainedEvents(_ context.Context, after int64, limit int) ([]audit.Row, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	sorted := slices.Clone(m.rows)
	slices.SortStableFunc(sorted, func(a, b audit.Row) int { return int(a.Seq - b.Seq) })
	var out []audit.Row
	for _, r := range sorted {
		if r.Seq > after && len(out) < limit {
			out = append(out, r)
		}
	}
	return out, nil
}

func (m *memory) AddHead(_ context.Context, h audit.Head) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.heads = append(m.heads, h)
	return nil
}

func (m *memory) Heads(_ context.Context, after int64, limit int) ([]audit.Head, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []audit.Head
	for _, h := range m.heads {
		if h.Seq > after && len(out) < limit {
			out = append(out, h)
		}
	}
	return out, nil
}

func (m *memory) TrimEvents(_ context.Context, upTo audit.Link, e audit.Event) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := len(m.rows)
	m.rows = slices.DeleteFunc(m.rows, func(r audit.Row) bool { return r.Seq > 0 && r.Seq <= upTo.Seq })
	m.heads = slices.DeleteFunc(m.heads, func(h audit.Head) bool { return h.Seq < upTo.Seq })
	removed := int64(before - len(m.rows))
	e, err := audit.Prepare(e, time.Now())
	m.number++
	m.rows = append(m.rows, audit.Row{Event: e, Number: m.number})
	return removed, err
}

// ed25519Signer signs with a fixed key.
type ed25519Signer struct{ key ed25519.PrivateKey }

func newSigner(seed byte) ed25519Signer {
	return ed25519Signer{ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))}
}

func (s ed25519Signer) SignHead(_ context.Context, m []byte) (string, []byte, error) {
	return "k1", ed25519.Sign(s.key, m), nil
}

func (s ed25519Signer) VerifyHead(_ context.Context, key string, m, sig []byte) error {
	if key != "k1" || !ed25519.Verify(s.key.Public().(ed25519.PublicKey), m, sig) {
		return errors.New("signature is not ours")
	}
	return nil
}
