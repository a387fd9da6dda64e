package journal

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/revocation"
)

const (
	magic = "gatehouse journal 1\n"

	// frameLen is length, checksum and kind, in front of each record.
	frameLen  = 4 + 4 + 1
	maxRecord = 16 << 20 // a bulk revocation names at most some ten thousand grounds
)

// The kinds of records. Their numbers are stored; never renumber. A reader
// skips kinds it does not know.
const (
	kindRevocation byte = 1
	kindHead       byte = 2
	kindMark       byte = 3
)

// Record is one entry of the journal; one of its members is set.
type Record struct {
	Revocation *Revocation
	Head       *audit.Head
	Mark       *Mark
}

// Mark says that at that time the journal had everything up to a place. Without
// marks, a journal that ends early would look like a time without revocations.
type Mark struct {
	Installation string `json:"installation"` // whose log it is
	Incarnation  int64  `json:"incarnation"`
	N            int64  `json:"n"`
	At           int64  `json:"at"` // Unix microseconds
}

// Revocation is an entry of the revocation log with its incarnation.
type Revocation struct {
	Incarnation int64
	revocation.Entry
}

// Position is where it stands in the log.
func (r Revocation) Position() revocation.Position {
	return revocation.Position{Incarnation: r.Incarnation, N: r.N}
}

// wireRevocation and wireHead are what stands in the file. Members are only
// ever added.
type wireRevocation struct {
	Incarnation int64        `json:"incarnation"`
	N           int64        `json:"n"`
	Effect      uint8        `json:"effect"`
	Grounds     []wireGround `json:"grounds"`
	Reason      string       `json:"reason,omitempty"`
	At          int64        `json:"at"` // Unix microseconds
}

type wireGround struct {
	Kind uint8  `json:"kind"`
	ID   string `json:"id"`
}

type wireHead struct {
	Seq       int64  `json:"seq"`
	Hash      []byte `json:"hash"`
	At        int64  `json:"at"`
	Node      string `json:"node"`
	Key       string `json:"key"`
	Signature []byte `json:"signature"`
}

func encodeRevocation(r Revocation) ([]byte, error) {
	w := wireRevocation{
		Incarnation: r.Incarnation, N: r.N, Effect: uint8(r.Effect), Reason: r.Reason, At: r.At.UnixMicro(),
		Grounds: make([]wireGround, len(r.Grounds)),
	}
	for i, g := range r.Grounds {
		w.Grounds[i] = wireGround{uint8(g.Kind), g.ID}
	}
	return frame(kindRevocation, w)
}

func encodeHead(h audit.Head) ([]byte, error) {
	return frame(kindHead, wireHead{h.Seq, h.Hash, h.At.UnixMicro(), h.Node, h.Key, h.Signature})
}

func encodeMark(m Mark) ([]byte, error) { return frame(kindMark, m) }

func frame(kind byte, v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode journal record: %w", err)
	}
	if len(body) > maxRecord {
		return nil, fmt.Errorf("encode journal record: %d bytes are too many", len(body))
	}
	b := make([]byte, frameLen, frameLen+len(body))
	binary.BigEndian.PutUint32(b, uint32(len(body)))
	b[8] = kind
	b = append(b, body...)
	binary.BigEndian.PutUint32(b[4:], checksum(b[8:]))
	return b, nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// errDamaged is what reading ends with at a record that is cut off or whose
// checksum is wrong.
var errDamaged = errors.New("damaged record")

// readFrame reads one record. It returns io.EOF at a clean end, errDamaged at
// one that is not, and the number of bytes that the record took. A nil record
// without error is of a kind not known here.
func readFrame(r io.Reader) (*Record, int, error) {
	var head [frameLen]byte
	if n, err := io.ReadFull(r, head[:]); err == io.EOF {
		return nil, 0, io.EOF
	} else if err != nil {
		return nil, n, readError(err)
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxRecord {
		return nil, 0, errDamaged
	}
	b := make([]byte, 1+size)
	b[0] = head[8]
	if _, err := io.ReadFull(r, b[1:]); err != nil {
		return nil, 0, readError(err)
	}
	if checksum(b) != binary.BigEndian.Uint32(head[4:]) {
		return nil, 0, errDamaged
	}
	rec, err := decode(head[8], b[1:])
	return rec, frameLen + int(size), err
}

func readError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errDamaged
	}
	return fmt.Errorf("read journal: %w", err)
}

func decode(kind byte, body []byte) (*Record, error) {
	switch kind {
	case kindRevocation:
		var w wireRevocation
		if err := json.Unmarshal(body, &w); err != nil {
			return nil, fmt.Errorf("%w: %w", errDamaged, err)
		}
		r := &Revocation{Incarnation: w.Incarnation, Entry: revocation.Entry{
			N: w.N, Effect: revocation.Effect(w.Effect), Reason: w.Reason, At: time.UnixMicro(w.At).UTC(),
		}}
		for _, g := range w.Grounds {
			r.Grounds = append(r.Grounds, revocation.Ground{Kind: revocation.Kind(g.Kind), ID: g.ID})
		}
		return &Record{Revocation: r}, nil
	case kindHead:
		var w wireHead
		if err := json.Unmarshal(body, &w); err != nil {
			return nil, fmt.Errorf("%w: %w", errDamaged, err)
		}
		return &Record{Head: &audit.Head{
			Link: audit.Link{Seq: w.Seq, Hash: w.Hash}, At: time.UnixMicro(w.At).UTC(),
			Node: w.Node, Key: w.Key, Signature: w.Signature,
		}}, nil
	case kindMark:
		var m Mark
		if err := json.Unmarshal(body, &m); err != nil {
			return nil, fmt.Errorf("%w: %w", errDamaged, err)
		}
		return &Record{Mark: &m}, nil
	}
	return nil, nil
}
