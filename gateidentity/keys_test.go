package gateidentity

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestKeyRotation(t *testing.T) {
	t.Parallel()
	k1, k2 := newSigner(t, "k1"), newSigner(t, "k2")
	c := &clock{}
	server := newJWKS(t, k1)
	v := newVerifier(t, server.URL, c)
	check := func(s signer, want error) {
		t.Helper()
		now := c.now().Unix()
		token := s.sign(nil, map[string]any{"iat": now, "exp": now + 60})
		if _, err := v.Verify(t.Context(), token); !errors.Is(err, want) {
			t.Errorf("%s: error = %v, want %v", s.kid, err, want)
		}
	}
	check(k1, nil)
	server.publish(k1, k2)
	check(k2, ErrKey) // asked a moment ago: not again yet
	if n := server.fetches.Load(); n != 1 {
		t.Errorf("%d fetches, want 1", n)
	}
	c.advance(unknownRetryAfter)
	check(k2, nil) // an unknown id fetches the set again
	server.publish(k2)
	c.advance(unknownRetryAfter)
	check(newSigner(t, "k3"), ErrKey) // so does this one, and k1 is gone with it
	check(k1, ErrKey)
	if n := server.fetches.Load(); n != 3 {
		t.Errorf("%d fetches, want 3", n)
	}
}

// TestRemovedKeyIsForgotten: a token verified before must not pass from memory
// once its key has left the set.
func TestRemovedKeyIsForgotten(t *testing.T) {
	t.Parallel()
	k1, k2 := newSigner(t, "k1"), newSigner(t, "k2")
	c := &clock{}
	server := newJWKS(t, k1)
	v := newVerifier(t, server.URL, c)
	token := k1.sign(nil, nil)
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	server.publish(k2)
	c.advance(unknownRetryAfter)
	if _, err := v.Verify(t.Context(), k2.sign(nil, nil)); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), token); !errors.Is(err, ErrKey) {
		t.Errorf("error = %v, want ErrKey", err)
	}
}

func TestOutageOfTheGate(t *testing.T) {
	t.Parallel()
	k1, c := newSigner(t, "k1"), &clock{}
	server := newJWKS(t, k1)
	server.set(http.StatusBadGateway, nil)
	v := newVerifier(t, server.URL, c)
	fresh := func() string {
		now := c.now().Unix()
		return k1.sign(nil, map[string]any{"iat": now, "exp": now + 60})
	}
	for range 5 { // and not one fetch for each
		if _, err := v.Verify(t.Context(), fresh()); !errors.Is(err, ErrUnavailable) {
			t.Fatalf("error = %v, want ErrUnavailable", err)
		}
	}
	if n := server.fetches.Load(); n != 1 {
		t.Errorf("%d fetches, want 1", n)
	}
	server.publish(k1)
	c.advance(retryAfter)
	if _, err := v.Verify(t.Context(), fresh()); err != nil {
		t.Fatal(err)
	}
	server.set(http.StatusOK, map[string]any{"keys": []any{}}) // an empty set wipes nothing out
	c.advance(maxAge - time.Minute)
	if _, err := v.Verify(t.Context(), fresh()); err != nil {
		t.Errorf("keys within their age: %v", err)
	}
	c.advance(2 * time.Minute)
	if _, err := v.Verify(t.Context(), fresh()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("keys past their age: error = %v, want ErrUnavailable", err)
	}
}

func TestOneFetchForMany(t *testing.T) {
	t.Parallel()
	k1 := newSigner(t, "k1")
	server := newJWKS(t, k1)
	v := newVerifier(t, server.URL, nil)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := v.Verify(t.Context(), k1.sign(nil, nil)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := server.fetches.Load(); n != 1 {
		t.Errorf("%d fetches, want 1", n)
	}
}

func TestFetchIsBounded(t *testing.T) {
	t.Parallel()
	k1 := newSigner(t, "k1")
	set, err := json.Marshal(map[string]any{"keys": []any{k1.jwk()}})
	if err != nil {
		t.Fatal(err)
	}
	big := strings.Repeat(" ", maxSet) + string(set)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(big))
	}))
	t.Cleanup(server.Close)
	v := newVerifier(t, server.URL, nil)
	if _, err := v.Verify(t.Context(), k1.sign(nil, nil)); !errors.Is(err, ErrUnavailable) {
		t.Errorf("error = %v, want ErrUnavailable", err)
	}
}

func FuzzParseSet(f *testing.F) {
	set, err := json.Marshal(map[string]any{"keys": []any{newSigner(f, "k1").jwk()}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(set)
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","kid":"a","x":"AA","y":"AA"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		keys, err := parseSet(b)
		if err == nil && len(keys) == 0 {
			t.Error("a set without keys was accepted")
		}
		for kid, k := range keys {
			if _, err := k.ECDH(); err != nil || kid == "" {
				t.Errorf("key %q is not on the curve: %v", kid, err)
			}
		}
	})
}
