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

// keysPatience is how long keys that may be old wait to be replaced, and
// maxWaiting how many callers may wait for one fetch.
const (
	keysPatience = time.Second
	maxWaiting   = 256
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

	mu      sync.Mutex
	set     []jose.JSONWebKey
	fetched time.Time // the last success
	tried   time.Time
	running chan struct{} // closed at the end of the fetch that is under way; nil: none is
	waiting int           // for that
}

// find returns the key that a token names. A token without kid is good where
// there is one key only.
//
// Keys are fetched when they are old or when the named one is not there. Who
// names one that is there does not wait for that, save a moment if he is the
// one who found them old; who names another waits, as nothing else can help him.
func (k *keys) find(ctx context.Context, kid string) (jose.JSONWebKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	started := false
	_, ok := k.pick(kid)
	if !ok || k.now().Sub(k.fetched) > refreshKeys {
		started = k.fetch(ctx)
	}
	switch known := ok && k.believable(); {
	case k.running == nil:
	case !known:
		if !k.wait(ctx, askTimeout+time.Second) {
			return jose.JSONWebKey{}, errNoKeys
		}
	case started:
		k.wait(ctx, keysPatience)
	}
	key, ok := k.pick(kid)
	switch {
	case !k.believable():
		return key, errNoKeys
	case !ok:
		return key, token.ErrKey
	}
	return key, nil
}

func (k *keys) believable() bool {
	return !k.fetched.IsZero() && k.now().Sub(k.fetched) <= staleKeys
}

// wait waits for the fetch that is under way, and reports whether it is over. It
// is called under lock, and gives that up meanwhile.
func (k *keys) wait(ctx context.Context, patience time.Duration) bool {
	if k.waiting >= maxWaiting {
		return false
	}
	running := k.running
	k.waiting++
	k.mu.Unlock()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	over := false
	select {
	case <-running:
		over = true
	case <-ctx.Done():
	case <-timeout.C:
	}
	k.mu.Lock()
	k.waiting--
	return over
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

// fetch begins to read the keys anew, unless that is being done or was tried a
// moment ago. Under lock. It goes on without the caller, whose patience may be
// shorter than that of those who wait for it.
func (k *keys) fetch(ctx context.Context) bool {
	if k.running != nil || !k.tried.IsZero() && k.now().Sub(k.tried) < againKeys {
		return false
	}
	k.tried, k.running = k.now(), make(chan struct{})
	go k.read(context.WithoutCancel(ctx), k.running)
	return true
}

// read reads the keys. What cannot be read leaves the old ones for their time.
func (k *keys) read(ctx context.Context, done chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	text, err := fetchKeys(ctx, k.client, k.at)
	var set []jose.JSONWebKey
	if err == nil {
		set, err = parseKeys(text)
	}
	if err != nil {
		k.logger.WarnContext(ctx, "the keys of an issuer cannot be read", "at", k.at, "error", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == nil {
		k.set, k.fetched = set, k.now()
	}
	k.running = nil
	close(done)
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
