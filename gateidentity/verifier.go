package gateidentity

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// Config says whose statements a backend believes.
type Config struct {
	// JWKSURL is where the gate publishes its identity keys. Required.
	JWKSURL string
	// Issuer is the gate's issuer of identities, exactly. Required.
	Issuer string
	// Audience is the name that the gate's configuration gives this upstream.
	// Required: without it, a statement made for another backend would pass.
	Audience string

	// Client fetches the keys; nil means a client that follows no redirects.
	// Whatever it is, a fetch is given five seconds and 256 KiB.
	Client *http.Client
	// Leeway is how far the clocks may differ; 0 means five seconds.
	Leeway time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Verifier checks identities. Make one with [New] and share it: it is safe
// for concurrent use and holds the keys and the tokens seen last.
type Verifier struct {
	issuer   string
	audience string
	leeway   time.Duration
	now      func() time.Time
	keys     *keySet
	seen     *memory
}

// New checks the configuration. It does not touch the network: the keys are
// fetched with the first request, so the backend may start before the gate.
func New(c Config) (*Verifier, error) {
	u, err := url.Parse(c.JWKSURL)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return nil, errors.New("gateidentity: JWKSURL must be an absolute http or https URL")
	case c.Issuer == "":
		return nil, errors.New("gateidentity: Issuer is required")
	case c.Audience == "":
		return nil, errors.New("gateidentity: Audience is required")
	case c.Leeway < 0:
		return nil, errors.New("gateidentity: Leeway is negative")
	}
	if c.Leeway == 0 {
		c.Leeway = 5 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Client == nil {
		c.Client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}}
	}
	seen := newMemory()
	return &Verifier{
		issuer:   c.Issuer,
		audience: c.Audience,
		leeway:   c.Leeway,
		now:      c.Now,
		keys:     &keySet{url: c.JWKSURL, client: c.Client, now: c.Now, changed: seen.clear},
		seen:     seen,
	}, nil
}

// Verify believes token or says why not, with one of the errors of this
// package. ctx bounds the wait for keys; it is not used otherwise.
//
// The gate sends the same token for up to 30 seconds, so a token whose
// signature was found good is remembered, a bounded number of them. Its times
// are looked at on every call.
func (v *Verifier) Verify(ctx context.Context, token string) (Identity, error) {
	if token == "" {
		return Identity{}, ErrMissing
	}
	// A key past its last refresh must not live on through a remembered token.
	if id, ok := v.seen.get(token); ok && v.keys.usable() {
		return id, v.checkTimes(id)
	}
	t, err := parse(token)
	if err != nil {
		return Identity{}, err
	}
	key, generation, err := v.keys.lookup(ctx, t.kid)
	if err != nil {
		return Identity{}, err
	}
	if err := t.verify(key); err != nil {
		return Identity{}, err
	}
	id, aud, err := t.identity()
	if err != nil {
		return Identity{}, err
	}
	if err := v.checkClaims(id, aud); err != nil {
		return Identity{}, err
	}
	if err := v.checkTimes(id); err != nil {
		return Identity{}, err
	}
	v.seen.put(token, id, generation)
	return id, nil
}

func (v *Verifier) checkClaims(id Identity, aud audience) error {
	switch {
	case id.Issuer != v.issuer:
		return fmt.Errorf("%w: issuer", ErrClaims)
	case !slices.Contains(aud, v.audience):
		return fmt.Errorf("%w: audience", ErrClaims)
	case id.Principal == "" || id.Tenant == "":
		return fmt.Errorf("%w: no subject or tenant", ErrClaims)
	}
	return nil
}

func (v *Verifier) checkTimes(id Identity) error {
	now := v.now()
	if !now.Before(id.ExpiresAt.Add(v.leeway)) || id.IssuedAt.After(now.Add(v.leeway)) {
		return ErrExpired
	}
	return nil
}
