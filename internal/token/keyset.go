package token

import (
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"gatehouse.dev/internal/revocation"
)

// Times in the life of signing keys.
const (
	// grace is how far nodes may disagree on when a key began and stopped
	// signing: the age of what they remember, and their clocks.
	grace = time.Minute
	// stale, tooOld: from which age on the keys of a tenant are read again, in
	// the background or before they are used. Both are well below grace, so
	// that no node signs with a key that others hold for retired.
	stale, tooOld = 10 * time.Second, 30 * time.Second
	// usable is the age up to which known keys serve while the store is down.
	usable = 45 * time.Second
)

// keySet is what a node knows about the keys of one tenant. It never changes.
type keySet struct {
	keys    []*heldKey          // the youngest first
	grounds []revocation.Ground // of the keys that are trusted
	asOf    revocation.Position
	loaded  time.Time
	loadNo  int64
}

// heldKey is a stored key with its public half parsed.
type heldKey struct {
	SigningKey
	public PublicKey
}

func hold(row SigningKey) (*heldKey, error) {
	key, err := x509.ParsePKIXPublicKey(row.Public)
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", row.ID, err)
	}
	public, err := NewPublicKey(row.ID, row.Alg, key)
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", row.ID, err)
	}
	return &heldKey{SigningKey: row, public: public}, nil
}

// add takes a key into a set that is being made.
func (s *keySet) add(h *heldKey) {
	s.keys = append(s.keys, h)
	if h.State == Next || h.State == Active || h.State == Retiring {
		s.grounds = append(s.grounds, revocation.Ground{Kind: revocation.SigningKey, ID: h.ID})
	}
}

// in returns the key of that row that is in that state; there is at most one
// that is next or active.
func (s *keySet) in(r keyRow, st State) *heldKey {
	for _, h := range s.keys {
		if h.row() == r && h.State == st {
			return h
		}
	}
	return nil
}

// keyRow names a row of keys that succeed each other.
type keyRow struct {
	tenant, use string
	alg         Alg
}

func (k SigningKey) row() keyRow { return keyRow{k.Tenant, k.Use, k.Alg} }

func (r keyRow) String() string { return r.tenant + "/" + r.use + "/" + string(r.alg) }

// candidates are the keys that may have signed a token issued at iat: by id
// when the token names one, else by time, where at most two overlap.
func (s *keySet) candidates(r keyRow, kid string, iat, now time.Time, leeway time.Duration) []*heldKey {
	var out []*heldKey
	for _, h := range s.keys {
		if h.row() != r || !h.verifies(iat, now, leeway) || (kid != "" && h.ID != kid) {
			continue
		}
		out = append(out, h)
	}
	slices.SortFunc(out, func(a, b *heldKey) int { return b.Activated.Compare(a.Activated) })
	return out[:min(len(out), 2)]
}

// verifies reports whether the key can have signed a token issued at iat, and
// whether such a token may still be good.
func (h *heldKey) verifies(iat, now time.Time, leeway time.Duration) bool {
	if iat.Before(h.Activated.Add(-grace)) {
		return false
	}
	switch h.State {
	case Active:
		return true
	case Retiring:
		return !iat.After(h.Retired.Add(grace)) && !h.over(now, leeway)
	}
	return false
}

// over reports whether the last token that a retiring key can have signed has
// expired.
func (h *heldKey) over(now time.Time, leeway time.Duration) bool {
	return now.After(h.Retired.Add(grace + h.Life + leeway))
}

// published reports whether the key stands in the JWKS.
func (h *heldKey) published(now time.Time) bool {
	switch h.State {
	case Next, Active:
		return true
	case Retiring:
		return !h.over(now, Leeway)
	}
	return false
}
