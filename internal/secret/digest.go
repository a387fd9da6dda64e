package secret

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"sync"
)

const (
	versionLen = 4

	// DigestLen is the length of every digest: the key's version as four
	// bytes, most significant first, then HMAC-SHA256.
	DigestLen = versionLen + sha256.Size
)

// LookupKey is one version of the key under which secrets are digested. Keep
// it sealed: with it and the database, guesses at short secrets can be tried.
type LookupKey struct {
	Version uint32
	Key     []byte // 32 bytes
}

// Digester recognises long random secrets without keeping them. It is safe for
// concurrent use.
//
// Rotating the look-up key adds a version; digests made under older versions
// stay valid until they are replaced, which is why stores look for every one
// of [Digester.Candidates].
type Digester struct {
	current *mac
	all     []*mac // current first, then the older ones as given
}

// NewDigester makes a Digester that digests under current and still recognises
// what was digested under older.
func NewDigester(current LookupKey, older ...LookupKey) (*Digester, error) {
	d := &Digester{}
	seen := make(map[uint32]bool)
	for _, k := range append([]LookupKey{current}, older...) {
		if len(k.Key) != 32 {
			return nil, fmt.Errorf("look-up key version %d has %d bytes, want 32", k.Version, len(k.Key))
		}
		if seen[k.Version] {
			return nil, fmt.Errorf("look-up key version %d is given twice", k.Version)
		}
		seen[k.Version] = true
		d.all = append(d.all, newMAC(k))
	}
	d.current = d.all[0]
	return d, nil
}

// For derives a Digester for one purpose, so that the digest of a token and of
// a key are unrelated even when their texts are equal, and one cannot be put
// into the other's table.
func (d *Digester) For(purpose string) (*Digester, error) {
	if purpose == "" {
		return nil, errors.New("derive look-up key: empty purpose")
	}
	keys := make([]LookupKey, len(d.all))
	for i, m := range d.all {
		keys[i] = LookupKey{Version: m.version, Key: m.sum("purpose\x00" + purpose)}
	}
	return NewDigester(keys[0], keys[1:]...)
}

// Digest is what to store for t: under the current key.
func (d *Digester) Digest(t Text) []byte { return d.current.digest(t) }

// Candidates are all digests under which t may be stored, current one first.
func (d *Digester) Candidates(t Text) [][]byte {
	out := make([][]byte, len(d.all))
	for i, m := range d.all {
		out[i] = m.digest(t)
	}
	return out
}

// Match reports in constant time whether stored is a digest of t under a key
// known here. A malformed or unknown stored value costs the same as a wrong
// secret, so callers may pass one made up for a credential that does not exist.
func (d *Digester) Match(stored []byte, t Text) bool {
	m := d.current // of an unknown version, so that it costs the same and differs
	if len(stored) == DigestLen {
		version := binary.BigEndian.Uint32(stored)
		for _, k := range d.all {
			if k.version == version {
				m = k
				break
			}
		}
	}
	return hmac.Equal(m.digest(t), stored)
}

// Current reports whether stored was made under the current key; what was not
// should be digested again at its next use.
func (d *Digester) Current(stored []byte) bool {
	return len(stored) == DigestLen && binary.BigEndian.Uint32(stored) == d.current.version
}

// Version is that of the current key.
func (d *Digester) Version() uint32 { return d.current.version }

// Derive computes from t and salt, under the key of that version, 32 bytes that
// nobody without the key can tell from random ones. known is false when there
// is no such version.
func (d *Digester) Derive(version uint32, t Text, salt []byte) (out [32]byte, known bool) {
	for _, m := range d.all {
		if m.version == version {
			prefix := binary.BigEndian.AppendUint32([]byte("derive\x00"), uint32(len(salt)))
			copy(out[:], m.sum(string(append(prefix, salt...))+t.Reveal()))
			return out, true
		}
	}
	return out, false
}

// mac is one key, with its prepared states kept for re-use: preparing costs
// two of the four SHA-256 blocks that a short secret takes.
type mac struct {
	version uint32
	pool    sync.Pool
}

func newMAC(k LookupKey) *mac {
	key := append([]byte(nil), k.Key...)
	m := &mac{version: k.Version}
	m.pool.New = func() any { return hmac.New(sha256.New, key) }
	return m
}

func (m *mac) digest(t Text) []byte {
	out := binary.BigEndian.AppendUint32(make([]byte, 0, DigestLen), m.version)
	return m.appendSum(out, t.Reveal())
}

func (m *mac) sum(s string) []byte { return m.appendSum(nil, s) }

func (m *mac) appendSum(out []byte, s string) []byte {
	h := m.pool.Get().(hash.Hash)
	h.Reset()
	h.Write([]byte(s))
	out = h.Sum(out)
	m.pool.Put(h)
	return out
}
