package ayyeka

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Token is an access token and the time it ends. It prints without its value.
type Token struct {
	// Expires is by this machine's clock, counted from the moment the request
	// was sent, so that it is never too late. The zero time means that the
	// server did not say.
	Expires time.Time

	value  hidden
	renew  time.Time // from when to ask for the next one
	serial uint64    // which answer of this source it came with
}

// Reveal returns the JWT in compact form, "" for the zero Token.
func (t Token) Reveal() string {
	if t.value == nil {
		return ""
	}
	return t.value()
}

// String implements fmt.Stringer.
func (t Token) String() string { return "[token until " + t.Expires.UTC().Format(time.RFC3339) + "]" }

// GoString implements fmt.GoStringer.
func (t Token) GoString() string { return t.String() }

func (t Token) usable(now time.Time) bool {
	return t.value != nil && (t.Expires.IsZero() || now.Before(t.Expires))
}

func (t Token) fresh(now time.Time) bool {
	return t.usable(now) && (t.renew.IsZero() || now.Before(t.renew))
}

// TokenSource keeps one access token and replaces it in time. However many
// goroutines ask, one token request is under way at a time, and it is not tied
// to any of their contexts: a caller who gives up leaves it to the others.
//
// A TokenSource is safe for concurrent use.
type TokenSource struct {
	endpoint    string
	base        *url.URL
	credentials hidden // the Basic value
	client      *http.Client
	transport   http.RoundTripper
	timeout     time.Duration
	early       time.Duration
	now         func() time.Time

	mu      sync.Mutex
	token   Token
	serial  uint64
	running *renewal
	paused  time.Time // no token request before this
	why     error     // the failure that paused is about
}

// renewal is one token request that any number of callers wait for.
type renewal struct {
	done  chan struct{}
	token Token
	err   error
}

// Format implements fmt.Formatter, for every verb: what is inside is secret and
// guarded by a lock.
func (s *TokenSource) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "ayyeka.TokenSource(%s)", s.endpoint)
}

// NewTokenSource makes a source that asks for its first token when it is needed.
func NewTokenSource(cfg Config) (*TokenSource, error) {
	cfg, base, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &TokenSource{
		endpoint:    base.String() + tokenPath,
		base:        base,
		credentials: hide(basicValue(cfg.Key, cfg.Secret)),
		// A redirected token request would carry the secret to wherever the
		// redirect says.
		client: &http.Client{
			Transport:     cfg.Transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		transport: cfg.Transport,
		timeout:   cfg.Timeout,
		early:     cfg.Early,
		now:       cfg.Now,
	}, nil
}

// Token returns a token that is good for at least the configured early time, or
// the one that still runs when the server cannot be asked just now. The error
// is an [*Error] when the server refused.
func (s *TokenSource) Token(ctx context.Context) (Token, error) {
	if err := ctx.Err(); err != nil {
		return Token{}, err
	}
	s.mu.Lock()
	now := s.now()
	old := s.token
	if old.fresh(now) {
		s.mu.Unlock()
		return old, nil
	}
	if now.Before(s.paused) {
		why := s.why
		s.mu.Unlock()
		if old.usable(now) {
			return old, nil
		}
		return Token{}, why
	}
	call := s.startLocked()
	s.mu.Unlock()

	select {
	case <-ctx.Done():
		return Token{}, ctx.Err()
	case <-call.done:
	}
	if call.err != nil && passing(call.err) && s.stillUsable(old) {
		return old, nil
	}
	return call.token, call.err
}

// Renew replaces stale, which the server has just refused, unless another
// caller has done so already.
func (s *TokenSource) Renew(ctx context.Context, stale Token) (Token, error) {
	s.forget(stale)
	return s.Token(ctx)
}

// forget makes sure that stale is not handed out again.
func (s *TokenSource) forget(stale Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token.serial == stale.serial {
		s.token = Token{}
	}
}

// stillUsable reports whether old is the current token and has not ended; it is
// neither after a Renew.
func (s *TokenSource) stillUsable(old Token) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.token.serial == old.serial && old.usable(s.now())
}

// startLocked joins the token request under way or starts one.
func (s *TokenSource) startLocked() *renewal {
	if s.running != nil {
		return s.running
	}
	call := &renewal{done: make(chan struct{})}
	s.running = call
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
		defer cancel()
		token, err := s.request(ctx)

		s.mu.Lock()
		defer s.mu.Unlock()
		s.running = nil
		s.settleLocked(call, token, err)
		close(call.done)
	}()
	return call
}

// breath is the shortest pause after a passing failure, so that a busy program
// whose old token still runs does not ask at every call.
const breath = 5 * time.Second

// settleLocked keeps the outcome of one request.
func (s *TokenSource) settleLocked(call *renewal, token Token, err error) {
	if err == nil {
		s.serial++
		token.serial = s.serial
		s.token, s.paused, s.why = token, time.Time{}, nil
		call.token = token
		return
	}
	call.err = err
	var refused *Error
	switch now := s.now(); {
	case errors.As(err, &refused) && refused.RetryAfter > 0:
		s.paused, s.why = now.Add(refused.RetryAfter), err
	case passing(err) && s.token.usable(now):
		s.paused, s.why = now.Add(breath), err
	}
}

// passing reports whether err says nothing about the credentials.
func passing(err error) bool {
	var refused *Error
	return !errors.As(err, &refused) || refused.passing()
}

// request gets one token over the network.
func (s *TokenSource) request(ctx context.Context) (Token, error) {
	req, err := tokenRequest(ctx, s.endpoint, s.credentials())
	if err != nil {
		return Token{}, fmt.Errorf("ayyeka: token: %w", err)
	}
	sent := s.now()
	res, err := s.client.Do(req)
	if err != nil {
		return Token{}, fmt.Errorf("ayyeka: token: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return Token{}, readError("token", res, s.now())
	}
	value, lifetime, err := readToken(res.Body, sent)
	if err != nil {
		return Token{}, fmt.Errorf("ayyeka: token: %w", err)
	}
	token := Token{value: hide(value)}
	if lifetime > 0 {
		token.Expires = sent.Add(lifetime)
		token.renew = token.Expires.Add(-min(s.early, lifetime/2))
	}
	return token, nil
}
