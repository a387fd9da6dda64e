package throttle

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
)

// digest is where a key lives: lo picks the set, hi is compared inside it.
type digest struct{ hi, lo uint64 }

// hasher makes digests. Its key is random per process, so nobody outside can
// tell which keys share a set, and a copy of the table names nobody.
type hasher struct{ key [32]byte }

func newHasher() hasher {
	var h hasher
	rand.Read(h.key[:]) // never fails
	return h
}

// Kinds keep the digests of different tables apart.
const (
	kindPair     = 'p'
	kindSource   = 's'
	kindIdentity = 'i'
	kindRequest  = 'r'
)

// sum hashes its parts, each with its length in front so that no two lists of
// parts read the same. Key-prefixed SHA-256 is enough here, where nobody ever
// sees a digest. Up to 480 bytes of parts it allocates nothing.
func (h *hasher) sum(kind byte, a, b string, source [17]byte) digest {
	var room [544]byte
	buf := append(room[:0], h.key[:]...)
	buf = append(buf, kind)
	buf = append(buf, source[:]...)
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(a)))
	buf = append(buf, a...)
	buf = append(buf, b...)
	s := sha256.Sum256(buf)
	return digest{binary.BigEndian.Uint64(s[:8]), binary.BigEndian.Uint64(s[8:16])}
}

// sourceOf reduces an address to what one caller is assumed to own: the /64 of
// IPv6, the whole IPv4 address. Zones are dropped, mapped IPv4 is IPv4, and
// callers without an address (a Unix socket) are one source together.
func sourceOf(a netip.Addr) (s [17]byte) {
	a = a.Unmap()
	switch {
	case a.Is4():
		s[0] = 4
		four := a.As4()
		copy(s[1:], four[:])
	case a.Is6():
		s[0] = 6
		sixteen := a.As16()
		copy(s[1:9], sixteen[:8])
	}
	return s
}
