package feedapi

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/feed"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/inbound"
	"gatehouse.dev/internal/live"
	"gatehouse.dev/internal/logging"
	"gatehouse.dev/internal/policy"
)

// publisher is one exchange with somebody who may publish.
type publisher struct {
	api    *API
	at     place
	facts  *inbound.Facts
	ctx    context.Context
	cancel context.CancelFunc
	wire   *wire
	handle *live.Handle
	ended  atomic.Uint32 // live.Code, 0 while it may go on
}

// admit finds out who calls and whether they may publish, and puts the exchange
// in the index. What opens a stream is a login, and recorded as one.
func (a *API) admit(w http.ResponseWriter, r *http.Request, facts *inbound.Facts, at place) (*publisher, error) {
	attempt, err := a.guard.Attempt(r, facts, Name)
	if err != nil {
		return nil, err
	}
	enter := a.Door.Check
	if at.kind == "updates" {
		enter = a.Door.Login
	}
	id, err := enter(r.Context(), attempt)
	if err != nil {
		return nil, err
	}
	logging.From(r.Context()).Caller(id.Principal, id.Credential, string(id.Method))
	p := &publisher{api: a, at: at, facts: facts, wire: newWire(w, r, a.Patience)}
	if err := p.allowed(r.Context(), id); err != nil {
		return nil, err
	}
	p.ctx, p.cancel = context.WithCancel(r.Context())
	p.handle, err = a.Door.Hold(r.Context(), id, live.Conn{
		Kind: live.Request, Dialect: Name, Route: "feeds " + at.kind, Remote: facts.Remote,
		End:     p.end,
		Recheck: func(ctx context.Context) (*identity.Identity, error) { return p.recheck(ctx, id) },
	})
	if err != nil {
		p.cancel()
		return nil, err
	}
	return p, nil
}

func (p *publisher) allowed(ctx context.Context, id *identity.Identity) error {
	return p.api.Door.Allow(ctx, policy.Request{
		Identity: id, Action: ActionPublish, Resource: policy.Resource{Type: "Feed", ID: p.at.feed}, Source: p.facts.Remote,
	})
}

// recheck asks again, after rights have changed. It keeps no secret.
func (p *publisher) recheck(ctx context.Context, id *identity.Identity) (*identity.Identity, error) {
	now, err := p.api.Door.Renew(ctx, id, p.facts.Remote)
	if err != nil {
		return nil, err
	}
	if err := p.allowed(ctx, now); err != nil {
		return nil, err
	}
	return now, nil
}

// lastWord is how long an exchange that was ended may go on writing.
const lastWord = 100 * time.Millisecond

// end is what live calls. Whoever reads is woken at once; whoever writes gets
// the time to say why.
func (p *publisher) end(cause live.Cause) {
	p.ended.CompareAndSwap(0, uint32(cause.Code))
	p.cancel()
	p.wire.stopReading()
	time.AfterFunc(lastWord, p.wire.stopWriting)
}

func (p *publisher) close() {
	p.wire.close()
	p.handle.Close()
	p.cancel()
}

// publish makes one update, if the exchange may still pass one.
func (p *publisher) publish(u feed.Update) error {
	if err := p.handle.Pass(p.ctx); err != nil {
		return p.why(err)
	}
	if err := p.api.Feeds.Update(p.ctx, p.facts.Tenant.ID, p.at.feed, u); err != nil {
		return p.why(err)
	}
	return nil
}

// why prefers the reason for which the exchange was ended to what that led to.
func (p *publisher) why(err error) error {
	if code := live.Code(p.ended.Load()); code != 0 {
		return &endedError{code}
	}
	return err
}

// endedError is the cause of an exchange that the gate has ended.
type endedError struct{ code live.Code }

func (e *endedError) Error() string { return e.code.String() }

var _ Door = (*authn.Service)(nil)
