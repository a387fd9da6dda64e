package foreign

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"gatehouse.dev/internal/token"
)

// How old an issuer's keys may be.
const (
	refreshKeys = 5 * time.Minute  // when they are fetched again
	againKeys   = 10 * time.Second // at the soonest, whatever tokens name
	staleKeys   = time.Hour        // from then on they are not believed
)

// maxKeys bounds a key set.
const maxKeys = 64

// errNoKeys means that the issuer's keys are not known, so nothing was decided.
var errNoKeys = errors.New("the issuer's keys cannot be read")

// keys are an issuer's public keys as they were fetched last.
type keys struct {
	at     string // URL or file
	client *http.Client
	logger *slog.Logger
	now    func() time.Time

	mu      sync.Mutex // held while fetching: who comes meanwhile waits for that
	set     []jose.JSONWebKey
	fetched time.Time // the last success
	tried   time.Time
}

// find returns the key that a token names. A token without kid is good where
// there is one key only.
func (k *keys) find(ctx context.Context, kid string) (jose.JSONWebKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.now().Sub(k.fetched) > refreshKeys {
		k.fetch(ctx)
	}
	key, ok := k.pick(kid)
	if !ok { // rotated, perhaps
		k.fetch(ctx)
		key, ok = k.pick(kid)
	}
	switch {
	case k.fetched.IsZero() || k.now().Sub(k.fetched) > staleKeys:
		return key, errNoKeys
	case !ok:
		return key, token.ErrKey
	}
	return key, nil
}

func (k *keys) pick(kid string) (jose.JSONWebKey, bool) {
	if kid == "" && len(k.set) == 1 {
		return k.set[0], true
	}
	for _, key := range k.set {
		if kid != "" && key.KeyID == kid {
			return key, true
		}
	}
	return jose.JSONWebKey{}, false
}

// fetch reads the keys anew, unless that was tried a moment ago. What cannot be
// read leaves the old ones for their time. Under lock.
func (k *keys) fetch(ctx context.Context) {
	if !k.tried.IsZero() && k.now().Sub(k.tried) < againKeys {
		return
	}
	k.tried = k.now()
	// Those who wait for it have more patience than its first caller may have.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	text, err := fetchKeys(ctx, k.client, k.at)
	if err == nil {
		var set []jose.JSONWebKey
		if set, err = parseKeys(text); err == nil {
			k.set, k.fetched = set, k.now()
			return
		}
	}
	k.logger.WarnContext(ctx, "the keys of an issuer cannot be read", "at", k.at, "error", err)
}

// parseKeys takes the public keys for signatures out of a key set. Others in it
// are none of our business, and secrets have no place there.
func parseKeys(text []byte) ([]jose.JSONWebKey, error) {
	var raw struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, fmt.Errorf("read key set: %w", err)
	}
	if len(raw.Keys) > maxKeys {
		return nil, errors.New("too many keys")
	}
	var set []jose.JSONWebKey
	for _, one := range raw.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(one) != nil || !key.Valid() || !key.IsPublic() || key.Use != "" && key.Use != "sig" {
			continue
		}
		key.Certificates, key.CertificatesURL = nil, nil
		set = append(set, key)
	}
	if len(set) == 0 {
		return nil, errors.New("no public keys for signatures")
	}
	return set, nil
}
