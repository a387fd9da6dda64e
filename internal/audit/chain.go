package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"
)

// HashLen is the length of a link's hash: the version of the encoding, then
// SHA-256.
const HashLen = 1 + sha256.Size

// encodingVersion is the first byte of every hash. A release that adds a field
// adds a version, and keeps encoding older rows as before.
const encodingVersion = 1

// Next is the link that follows after prev when e is the next row.
//
// The place itself is not hashed: the chain of hashes already fixes the order,
// heads fix the count, and a removed row then spoils one link and not all that
// follow it, so that the verifier can say where.
func Next(prev Link, e Event) Link {
	h := sha256.New()
	h.Write([]byte("gatehouse audit row\x00"))
	h.Write(appendBytes(nil, prev.Hash))
	h.Write(Encode(e))
	return Link{Seq: prev.Seq + 1, Hash: h.Sum([]byte{encodingVersion})}
}

// Encode is the canonical encoding of a row: every field in a fixed order, each
// with its length in front, so that no two events have the same one. Personal
// fields take part as ciphertext only.
func Encode(e Event) []byte {
	b := make([]byte, 0, 512)
	b = append(b, encodingVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(e.At.UnixMicro()))
	b = binary.BigEndian.AppendUint64(b, uint64(e.Count))
	for _, s := range []string{
		e.ID, e.Node, e.Tenant, e.Actor, e.Action, e.Target, string(e.Outcome),
		e.Reason, e.Dialect, e.Method, e.Request, e.Person,
	} {
		b = appendBytes(b, []byte(s))
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.Detail)))
	for _, k := range slices.Sorted(maps.Keys(e.Detail)) {
		b = appendBytes(b, []byte(k))
		b = appendBytes(b, []byte(e.Detail[k]))
	}
	return appendBytes(b, e.Sealed)
}

func appendBytes(b, s []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

// message is what is signed of a head.
func (h Head) message() []byte {
	b := []byte("gatehouse audit head\x00")
	b = binary.BigEndian.AppendUint64(b, uint64(h.Seq))
	b = appendBytes(b, h.Hash)
	b = binary.BigEndian.AppendUint64(b, uint64(h.At.UnixMicro()))
	return appendBytes(b, []byte(h.Node))
}
