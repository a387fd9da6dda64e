package secret_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"sync"
	"testing"

	"gatehouse.dev/internal/secret"
)

func lookupKey(version uint32) secret.LookupKey {
	return secret.LookupKey{Version: version, Key: bytes.Repeat([]byte{byte(version)}, 32)}
}

func newDigester(t testing.TB, current uint32, older ...uint32) *secret.Digester {
	t.Helper()
	var old []secret.LookupKey
	for _, v := range older {
		old = append(old, lookupKey(v))
	}
	d, err := secret.NewDigester(lookupKey(current), old...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDigest(t *testing.T) {
	t.Parallel()
	d := newDigester(t, 7)
	got := d.Digest(secret.New("abc"))
	h := hmac.New(sha256.New, lookupKey(7).Key)
	h.Write([]byte("abc"))
	if want := append([]byte{0, 0, 0, 7}, h.Sum(nil)...); !bytes.Equal(got, want) {
		t.Errorf("digest = %x, want %x", got, want)
	}
	if len(got) != secret.DigestLen {
		t.Errorf("length = %d, want %d", len(got), secret.DigestLen)
	}
}

func TestDigestAcrossVersions(t *testing.T) {
	t.Parallel()
	s := secret.New("abc")
	before := newDigester(t, 1)
	after := newDigester(t, 2, 1)
	stored := before.Digest(s)

	if !after.Match(stored, s) {
		t.Error("a digest under the older key is no longer recognised")
	}
	if after.Current(stored) || !after.Current(after.Digest(s)) {
		t.Error("Current does not tell the versions apart")
	}
	c := after.Candidates(s)
	if len(c) != 2 || !bytes.Equal(c[0], after.Digest(s)) || !bytes.Equal(c[1], stored) {
		t.Errorf("candidates = %x", c)
	}
	if newDigester(t, 2).Match(stored, s) {
		t.Error("matched under a key that is not known")
	}
}

func TestMatchRefuses(t *testing.T) {
	t.Parallel()
	d := newDigester(t, 2, 1)
	s := secret.New("abc")
	good := d.Digest(s)
	relabelled := append([]byte{0, 0, 0, 1}, good[4:]...)
	unknown := append([]byte{0, 0, 0, 9}, good[4:]...)
	for name, stored := range map[string][]byte{
		"nil": nil, "short": good[:35], "long": append(bytes.Clone(good), 0),
		"other version's label": relabelled, "unknown version": unknown,
	} {
		if d.Match(stored, s) {
			t.Errorf("%s: matched", name)
		}
	}
	if d.Match(good, secret.New("abd")) {
		t.Error("matched another secret")
	}
}

func TestDigesterFor(t *testing.T) {
	t.Parallel()
	d := newDigester(t, 2, 1)
	s := secret.New("abc")
	a, err := d.For("token")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := d.For("key")
	if bytes.Equal(a.Digest(s), b.Digest(s)) || bytes.Equal(a.Digest(s), d.Digest(s)) {
		t.Error("purposes share digests")
	}
	if old, _ := newDigester(t, 1).For("token"); !a.Match(old.Digest(s), s) {
		t.Error("derived digester lost the older version")
	}
	if _, err := d.For(""); err == nil {
		t.Error("an empty purpose was accepted")
	}
}

func TestNewDigesterRefuses(t *testing.T) {
	t.Parallel()
	if _, err := secret.NewDigester(secret.LookupKey{Version: 1, Key: make([]byte, 16)}); err == nil {
		t.Error("accepted a short key")
	}
	if _, err := secret.NewDigester(lookupKey(1), lookupKey(1)); err == nil {
		t.Error("accepted one version twice")
	}
}

func TestDigesterConcurrent(t *testing.T) {
	t.Parallel()
	d := newDigester(t, 2, 1)
	want := d.Digest(secret.New("abc"))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if !bytes.Equal(d.Digest(secret.New("abc")), want) {
					t.Error("digest changed under concurrency")
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkMatch(b *testing.B) {
	d := newDigester(b, 2, 1)
	s := secret.Generate("ghk_")
	stored := d.Digest(s)
	b.ReportAllocs()
	for b.Loop() {
		if !d.Match(stored, s) {
			b.Fatal("no match")
		}
	}
}

func TestDerive(t *testing.T) {
	t.Parallel()
	d := newDigester(t, 2, 1)
	s, salt := secret.New("abc"), []byte("salt")
	want, known := d.Derive(1, s, salt)
	if got, ok := newDigester(t, 1).Derive(1, s, salt); !known || !ok || got != want {
		t.Error("the same version derives otherwise after a rotation")
	}
	seen := map[[32]byte]string{want: "first"}
	for name, f := range map[string]func() ([32]byte, bool){
		"version":         func() ([32]byte, bool) { return d.Derive(2, s, salt) },
		"secret":          func() ([32]byte, bool) { return d.Derive(1, secret.New("abd"), salt) },
		"salt":            func() ([32]byte, bool) { return d.Derive(1, s, []byte("tals")) },
		"shifted borders": func() ([32]byte, bool) { return d.Derive(1, secret.New("tabc"), []byte("sal")) },
	} {
		got, ok := f()
		if other, dup := seen[got]; dup || !ok {
			t.Errorf("another %s derives the same as %s", name, other)
		}
		seen[got] = name
	}
	if _, known := d.Derive(3, s, salt); known {
		t.Error("derived under a version that is not known")
	}
}
