package policy

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"gatehouse.dev/internal/revocation"
)

// Log is what the engine needs to know about rights taken away.
type Log interface {
	Position() revocation.Position
	Intact(grounds []revocation.Ground, asOf revocation.Position) bool
}

// Rules is what deciding needs from persistence.
type Rules interface {
	PolicySet(ctx context.Context, tenant string) (Set, error)
}

// Engine decides. It is safe for concurrent use; make it with [New].
type Engine struct {
	store Rules
	log   Log
	parts []part

	mu    sync.RWMutex
	sets  map[string]*compiled
	loads singleflight.Group
}

const (
	// maxSets bounds how many tenants' rules are kept compiled.
	maxSets     = 4096
	loadTimeout = 5 * time.Second
)

// New makes an engine over the parts that come with the program (see
// [Defaults]). It fails when these contradict themselves.
func New(store Rules, log Log, parts ...Part) (*Engine, error) {
	read, err := readParts(Defaults(parts...))
	if err != nil {
		return nil, err
	}
	if _, err := compile(read, Set{}); err != nil {
		return nil, fmt.Errorf("default policies: %w", err)
	}
	return &Engine{store: store, log: log, parts: read, sets: make(map[string]*compiled)}, nil
}

// Decide answers a request by the rules of the identity's tenant. An error
// means that the rules could not be had; the decision then denies too.
func (e *Engine) Decide(ctx context.Context, r Request) (Decision, error) {
	if r.Identity == nil {
		return Decision{Errors: []string{"no identity"}}, nil
	}
	c, err := e.rules(ctx, r.Identity.Tenant)
	if err != nil {
		return Decision{Errors: []string{err.Error()}}, err
	}
	return c.of(r.Identity).decide(&r), nil
}

// rules returns the compiled rules of a tenant, from memory while their ground
// is intact.
func (e *Engine) rules(ctx context.Context, tenant string) (*compiled, error) {
	e.mu.RLock()
	c := e.sets[tenant]
	e.mu.RUnlock()
	// A load that took off before a change is not good enough after it, so it
	// may take more than one.
	for range 4 {
		if c != nil && e.log.Intact(c.grounds, c.asOf) {
			return c, nil
		}
		var err error
		if c, err = e.reload(ctx, tenant); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("policies are changing faster than they can be read")
}

// reload shares one load between all who wait for it. The load runs on its own
// context: who waits may give up, and must not take the others along.
func (e *Engine) reload(ctx context.Context, tenant string) (*compiled, error) {
	ch := e.loads.DoChan(tenant, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		return e.load(ctx, tenant)
	})
	select {
	case res := <-ch:
		if res.Err != nil {
			return nil, res.Err
		}
		return res.Val.(*compiled), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// load notes the position first and reads after it, so that a change between
// the two is seen as later.
func (e *Engine) load(ctx context.Context, tenant string) (*compiled, error) {
	asOf := e.log.Position()
	s, err := e.store.PolicySet(ctx, tenant)
	if err != nil {
		return nil, fmt.Errorf("read policies: %w", err)
	}
	s.Tenant = tenant
	c, err := compile(e.parts, s)
	if err != nil {
		return nil, fmt.Errorf("compile policies: %w", err)
	}
	c.asOf = asOf
	c.grounds = []revocation.Ground{{Kind: revocation.Policy, ID: tenant}}
	e.keep(c)
	return c, nil
}

func (e *Engine) keep(c *compiled) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, there := e.sets[c.tenant]; !there && len(e.sets) >= maxSets {
		for other := range e.sets {
			delete(e.sets, other)
			break
		}
	}
	e.sets[c.tenant] = c
}
