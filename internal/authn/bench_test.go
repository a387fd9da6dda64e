package authn_test

import (
	"testing"
	"time"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/revocation"
)

// What every request pays once its caller is remembered. The log moves on in
// the meantime, as it does in a busy house.
func BenchmarkCheckRemembered(b *testing.B) {
	h := build(b)
	_, password := h.user(b, "ann")
	rec, pair := h.pair()
	_, key := h.apiKey()
	for name, a := range map[string]authn.Attempt{
		"password": password, "key_pair": pair, "api_key": key, "jwt": h.token(rec, time.Hour),
	} {
		b.Run(name, func(b *testing.B) {
			if _, err := h.Check(b.Context(), a); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := h.Check(b.Context(), a); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A login with a strong secret reads the store each time.
func BenchmarkLoginKeyPair(b *testing.B) {
	h := build(b)
	_, a := h.pair()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Login(b.Context(), a); err != nil {
			b.Fatal(err)
		}
	}
}

func TestRememberedCheckAllocatesNothing(t *testing.T) {
	h := build(t)
	_, password := h.user(t, "ann")
	rec, pair := h.pair()
	for _, a := range []authn.Attempt{password, pair, h.token(rec, time.Hour)} {
		if _, err := h.Check(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		// Somebody else's revocation: one look at the grounds, and on.
		h.tail.Await(t.Context(), h.store.change(revocation.End, func() {}, ground(revocation.Credential, "cre_other")))
		ctx := t.Context()
		got := testing.AllocsPerRun(500, func() {
			if _, err := h.Check(ctx, a); err != nil {
				t.Error(err)
			}
		})
		if got >= 1 {
			t.Errorf("%s: %v allocations, want none", a.Method, got)
		}
	}
}
