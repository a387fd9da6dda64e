package audit_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/audit"
)

// TestEncodingStays pins the encoding: a release that changes it could no
// longer verify what an earlier one sealed.
func TestEncodingStays(t *testing.T) {
	t.Parallel()
	e := audit.Event{
		ID: "aud_1", At: time.UnixMicro(1_800_000_000_000_001), Node: "nod_a", Tenant: "ten_a", Actor: "usr_a",
		Action: "credential.revoke", Target: "cre_a", Outcome: audit.OK, Reason: "lost", Dialect: "ayyeka",
		Method: "key_pair", Request: "req_a", Count: 1, Detail: map[string]string{"b": "2", "a": "1"},
		Person: "usr_b", Sealed: []byte{1, 2, 3},
	}
	first := audit.Next(audit.Link{}, e)
	second := audit.Next(first, e)
	got := hex.EncodeToString(first.Hash) + " " + hex.EncodeToString(second.Hash)
	const want = "010054125c597dbeeb76ea2d39d2a60e0b8a26d3f497e1cbf369db40e3c9e522e2 " +
		"01d0865728df1aadb591c77fc270967d5e436789d6f9c53f3ae92f7404e0616175"
	if got != want {
		t.Errorf("hashes = %s\nwant     %s", got, want)
	}
	if first.Seq != 1 || second.Seq != 2 || len(first.Hash) != audit.HashLen {
		t.Errorf("links = %v, %v", first, second)
	}
}

// FuzzEncode shows that the encoding loses nothing: what can be decoded again
// cannot be the encoding of two different events.
func FuzzEncode(f *testing.F) {
	f.Add(int64(1), int64(2), "login", "wrong\x00secret", "a", "b", "c", []byte{1})
	f.Add(int64(-1), int64(0), "", "", "", "", "", []byte(nil))
	f.Fuzz(func(t *testing.T, at, count int64, action, reason, k1, k2, v string, sealed []byte) {
		e := audit.Event{
			ID: "aud_1", At: time.UnixMicro(at).UTC(), Count: count, Action: action, Reason: reason, Outcome: audit.Refused,
			Detail: map[string]string{k1: v, k2: reason}, Sealed: sealed,
		}
		got, rest := decode(t, audit.Encode(e))
		if len(rest) != 0 {
			t.Errorf("%d bytes too many", len(rest))
		}
		if len(sealed) == 0 {
			e.Sealed, got.Sealed = nil, nil
		}
		if d := cmp.Diff(e, got); d != "" {
			t.Errorf("decoded (-want +got):\n%s", d)
		}
	})
}

// decode reads what Encode wrote.
func decode(t *testing.T, b []byte) (e audit.Event, rest []byte) {
	next := func() string {
		n := binary.BigEndian.Uint32(b)
		s := string(b[4 : 4+n])
		b = b[4+n:]
		return s
	}
	if b[0] != 1 {
		t.Fatalf("version %d", b[0])
	}
	e.At = time.UnixMicro(int64(binary.BigEndian.Uint64(b[1:]))).UTC()
	e.Count = int64(binary.BigEndian.Uint64(b[9:]))
	b = b[17:]
	for _, s := range []*string{
		&e.ID, &e.Node, &e.Tenant, &e.Actor, &e.Action, &e.Target, (*string)(&e.Outcome),
		&e.Reason, &e.Dialect, &e.Method, &e.Request, &e.Person,
	} {
		*s = next()
	}
	n := binary.BigEndian.Uint32(b)
	b = b[4:]
	e.Detail = map[string]string{}
	for range n {
		k := next()
		e.Detail[k] = next()
	}
	e.Sealed = []byte(next())
	return e, b
}

func TestPrepare(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 123_456_789)
	e, err := audit.Prepare(audit.Event{
		Action: "login\x00", Reason: "\xff\xfe" + strings.Repeat("ä", 5000), Detail: map[string]string{"k\x00": "v\xff"},
	}, now)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{e.Action, e.Reason, e.Detail["k\uFFFD"]} {
		if s == "" || !utf8.ValidString(s) || strings.Contains(s, "\x00") || len(s) > 1100 {
			t.Errorf("text %.40q (%d bytes) cannot be stored", s, len(s))
		}
	}
	if e.ID == "" || e.Count != 1 || e.Outcome != audit.OK || !e.At.Equal(time.UnixMicro(now.UnixMicro())) {
		t.Errorf("prepared = %+v", e)
	}
	again, err := audit.Prepare(e, now.Add(time.Hour))
	if err != nil || !bytes.Equal(audit.Encode(again), audit.Encode(e)) {
		t.Errorf("preparing twice changes the event: %+v, %v", again, err)
	}
}
