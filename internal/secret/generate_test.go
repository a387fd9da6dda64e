package secret_test

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"gatehouse.dev/internal/secret"
)

func TestGenerate(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	counts := map[rune]int{}
	for range 500 {
		s := secret.Generate("ghk_")
		if got, want := s.Len(), 4+43+6; got != want {
			t.Fatalf("length = %d, want %d", got, want)
		}
		if seen[s.Reveal()] {
			t.Fatal("the same secret came twice")
		}
		seen[s.Reveal()] = true
		if !secret.WellFormed("ghk_", s) {
			t.Fatalf("a fresh secret is not well formed")
		}
		for _, c := range s.Reveal()[4:47] {
			counts[c]++
		}
	}
	// 500×43 draws over 62 characters. Folding all 256 values of a byte onto
	// them would make the first eight of the alphabet a quarter likelier:
	// 3359 of them where 2774 are expected, with a deviation of 49.
	if len(counts) != 62 {
		t.Errorf("%d different characters in use, want 62", len(counts))
	}
	first := 0
	for _, c := range "01234567" {
		first += counts[c]
	}
	if first < 2774-300 || first > 2774+300 {
		t.Errorf("the first eight characters came %d times, want about 2774", first)
	}
}

func TestWellFormedRefuses(t *testing.T) {
	t.Parallel()
	good := secret.Generate("ghk_").Reveal()
	flipped := []byte(good)
	if flipped[20] == 'A' {
		flipped[20] = 'B'
	} else {
		flipped[20] = 'A'
	}
	swapped := []byte(good)
	for i := 10; ; i++ {
		if swapped[i] != swapped[i+1] {
			swapped[i], swapped[i+1] = swapped[i+1], swapped[i]
			break
		}
	}
	for name, s := range map[string]string{
		"empty":            "",
		"prefix only":      "ghk_",
		"one changed":      string(flipped),
		"two swapped":      string(swapped),
		"cut":              good[:len(good)-1],
		"longer":           good + "0",
		"blank before":     " " + good[:len(good)-1],
		"new line":         good[:len(good)-1] + "\n",
		"other prefix":     "ght_" + good[4:],
		"checksum of none": "ghk_" + strings.Repeat("0", 49),
	} {
		if secret.WellFormed("ghk_", secret.New(s)) {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestFixedShapes(t *testing.T) {
	t.Parallel()
	key := secret.UpperHex(16)
	if _, err := hex.DecodeString(key); err != nil || len(key) != 32 || key != strings.ToUpper(key) {
		t.Errorf("key %q is not 32 upper-case hexadecimal digits", key)
	}
	if !secret.IsUpperHex(16, key) || secret.IsUpperHex(16, strings.ToLower("ABCDEF")+key[6:]) || secret.IsUpperHex(16, key[1:]) {
		t.Error("IsUpperHex misjudges")
	}
	s := secret.Base64(32)
	if b, err := base64.StdEncoding.DecodeString(s.Reveal()); err != nil || len(b) != 32 || s.Len() != 44 {
		t.Error("secret is not 44 characters of base64")
	}
	if !secret.IsBase64(32, s) {
		t.Error("IsBase64 refuses its own")
	}
	for name, bad := range map[string]string{
		"url alphabet":  strings.Repeat("-", 43) + "=",
		"new line":      s.Reveal()[:43] + "\n",
		"no padding":    s.Reveal()[:43] + "A",
		"stray bits":    strings.Repeat("A", 42) + "B=",
		"empty":         "",
		"breaks inside": s.Reveal()[:42] + "\r\n",
	} {
		if secret.IsBase64(32, secret.New(bad)) {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzWellFormed(f *testing.F) {
	f.Add("ghk_", "ghk_"+strings.Repeat("0", 49))
	f.Add("", "")
	f.Fuzz(func(t *testing.T, prefix, s string) {
		if secret.WellFormed(prefix, secret.New(s)) && !strings.HasPrefix(s, prefix) {
			t.Error("accepted without the prefix")
		}
		if fresh := secret.Generate(prefix); !secret.WellFormed(prefix, fresh) {
			t.Error("refused its own")
		}
	})
}

// The shape is a promise to whoever keeps such a secret: it may not change.
func TestWellFormedPinned(t *testing.T) {
	t.Parallel()
	body := "ghk_" + strings.Repeat("Ab3", 14) + "z"
	if !secret.WellFormed("ghk_", secret.New(body+"2ADNvT")) {
		t.Error("the checksum has changed")
	}
}

func TestAssemble(t *testing.T) {
	t.Parallel()
	var low, high [32]byte
	for i := range high {
		high[i] = 0xff
	}
	a, b := secret.Assemble("ghr_", low), secret.Assemble("ghr_", high)
	for _, s := range []secret.Text{a, b} {
		if !secret.WellFormed("ghr_", s) {
			t.Errorf("%q is not well formed", s.Reveal())
		}
	}
	if a.Equal(b) || !a.Equal(secret.Assemble("ghr_", low)) {
		t.Error("the text does not follow from the bytes")
	}
	if got := a.Reveal()[4:47]; got != strings.Repeat("0", 43) {
		t.Errorf("zero is written %q", got)
	}
}
