package gateidentity

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	// refreshAfter is the age at which keys are fetched again in the
	// background, maxAge the one past which they are no longer believed.
	refreshAfter = 5 * time.Minute
	maxAge       = time.Hour
	// retryAfter spaces fetches: after a failure, and for key ids that are not
	// in the set, so that invented ids cannot turn a backend against the gate.
	retryAfter        = time.Second
	unknownRetryAfter = 10 * time.Second

	fetchTimeout = 5 * time.Second
	maxSet       = 256 << 10
	maxKeys      = 64
)

// keySet is the gate's JWKS, fetched when needed, by one fetch at a time.
type keySet struct {
	url     string
	client  *http.Client
	now     func() time.Time
	changed func(generation uint64) // the set was replaced

	mu         sync.Mutex
	keys       map[string]*ecdsa.PublicKey
	generation uint64
	fetched    time.Time     // start of the last good fetch
	tried      time.Time     // start of the last fetch
	flight     chan struct{} // closed when the fetch under way ends; nil: none
}

// lookup returns the key of that id, waiting for a fetch when one is due. A
// known key is never waited for while the set is young enough.
func (s *keySet) lookup(ctx context.Context, kid string) (*ecdsa.PublicKey, uint64, error) {
	s.mu.Lock()
	key, usable := s.keys[kid], s.usableLocked()
	if usable && key != nil {
		if s.now().Sub(s.fetched) >= refreshAfter {
			s.startLocked(retryAfter)
		}
		defer s.mu.Unlock()
		return key, s.generation, nil
	}
	wait := retryAfter
	if usable {
		wait = unknownRetryAfter
	}
	flight := s.startLocked(wait)
	s.mu.Unlock()

	if flight != nil {
		select {
		case <-flight:
		case <-ctx.Done():
			return nil, 0, fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.usableLocked() {
		return nil, 0, ErrUnavailable
	}
	if key = s.keys[kid]; key == nil {
		return nil, 0, ErrKey
	}
	return key, s.generation, nil
}

// usable reports whether the keys at hand may still be believed.
func (s *keySet) usable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.usableLocked()
}

func (s *keySet) usableLocked() bool {
	return s.keys != nil && s.now().Sub(s.fetched) < maxAge
}

// startLocked starts a fetch unless one is under way (which it returns) or the
// last began less than wait ago (nil). The fetch has its own context: the
// request that asked first may go away while others wait.
func (s *keySet) startLocked(wait time.Duration) chan struct{} {
	if s.flight != nil {
		return s.flight
	}
	start := s.now()
	if !s.tried.IsZero() && start.Sub(s.tried) < wait {
		return nil
	}
	s.tried = start
	flight := make(chan struct{})
	s.flight = flight
	go func() {
		keys, err := s.fetch()
		s.mu.Lock()
		defer s.mu.Unlock()
		if err == nil {
			s.keys, s.fetched = keys, start
			s.generation++
			s.changed(s.generation)
		}
		s.flight = nil
		close(flight)
	}()
	return flight
}

func (s *keySet) fetch() (map[string]*ecdsa.PublicKey, error) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	res, err := s.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("fetch keys: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("fetch keys: status %d", res.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxSet+1))
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	if len(body) > maxSet {
		return nil, errors.New("read keys: too large")
	}
	return parseSet(body)
}

// parseSet reads a JWK set (RFC 7517, section 5). Keys of other kinds are
// passed over, as that section asks; a set without one of ours is an error, so
// that a wrong URL does not wipe out good keys.
func parseSet(body []byte) (map[string]*ecdsa.PublicKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, fmt.Errorf("parse keys: %w", err)
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("parse keys: %d keys", len(set.Keys))
	}
	keys := make(map[string]*ecdsa.PublicKey)
	for _, raw := range set.Keys {
		kid, key, ok := parseKey(raw)
		if !ok {
			continue
		}
		if keys[kid] != nil {
			return nil, errors.New("parse keys: two keys with one id")
		}
		keys[kid] = key
	}
	if len(keys) == 0 {
		return nil, errors.New("parse keys: no ES256 key")
	}
	return keys, nil
}

func parseKey(raw json.RawMessage) (string, *ecdsa.PublicKey, bool) {
	var k struct{ Kty, Crv, Use, Alg, Kid, X, Y string }
	if json.Unmarshal(raw, &k) != nil || k.Kty != "EC" || k.Crv != "P-256" || k.Kid == "" ||
		(k.Use != "" && k.Use != "sig") || (k.Alg != "" && k.Alg != "ES256") {
		return "", nil, false
	}
	x, errX := decode(k.X)
	y, errY := decode(k.Y)
	if errX != nil || errY != nil || len(x) != 32 || len(y) != 32 {
		return "", nil, false
	}
	point := append(append([]byte{4}, x...), y...) // uncompressed, SEC 1 section 2.3.3
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	return k.Kid, key, err == nil
}
