package journal

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/revocation"
)

// FuzzReadFrame reads records from bytes that may be anything: it must neither
// crash nor believe what was not written, and what it accepts reads the same
// after writing it again.
func FuzzReadFrame(f *testing.F) {
	r, err := encodeRevocation(Revocation{Incarnation: 1, Entry: revocation.Entry{
		N: 7, Effect: revocation.End, Grounds: []revocation.Ground{{Kind: revocation.Secret, ID: "sec_a"}},
		Reason: "lost", At: time.UnixMicro(1_800_000_000_000_000),
	}})
	if err != nil {
		f.Fatal(err)
	}
	h, err := encodeHead(audit.Head{Link: audit.Link{Seq: 1, Hash: []byte{1}}, Node: "nod_a"})
	if err != nil {
		f.Fatal(err)
	}
	m, err := encodeMark(Mark{Installation: "ten_a", Incarnation: 1, N: 7, At: 1})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(r)
	f.Add(h)
	f.Add(m)
	f.Add(append(r, h...))
	f.Add(h[:len(h)-1])
	f.Add([]byte("\xff\xff\xff\xff\x00\x00\x00\x00\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		rd := bytes.NewReader(b)
		for {
			rec, n, err := readFrame(rd)
			if err != nil {
				if err != io.EOF && !errors.Is(err, errDamaged) {
					t.Errorf("error = %v", err)
				}
				return
			}
			if n < frameLen {
				t.Fatalf("a record of %d bytes", n)
			}
			if rec == nil {
				continue
			}
			var again []byte
			switch {
			case rec.Head != nil:
				again, err = encodeHead(*rec.Head)
			case rec.Mark != nil:
				again, err = encodeMark(*rec.Mark)
			default:
				again, err = encodeRevocation(*rec.Revocation)
			}
			if err != nil {
				t.Fatal(err)
			}
			back, _, err := readFrame(bytes.NewReader(again))
			if d := cmp.Diff(rec, back); err != nil || d != "" {
				t.Errorf("written again: %v\n%s", err, d)
			}
		}
	})
}

// TestFrameFlips flips every bit of a record: none may go unnoticed.
func TestFrameFlips(t *testing.T) {
	t.Parallel()
	b, err := encodeHead(audit.Head{Link: audit.Link{Seq: 1, Hash: []byte{1}}, Node: "nod_a"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(b) * 8 {
		c := bytes.Clone(b)
		c[i/8] ^= 1 << (i % 8)
		if rec, _, err := readFrame(bytes.NewReader(c)); err == nil {
			t.Errorf("bit %d flipped: read %+v", i, rec)
		}
	}
}
