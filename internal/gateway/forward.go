package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"gatehouse.dev/gateidentity"
	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/dialect"
	"gatehouse.dev/internal/gateway/canonical"
	"gatehouse.dev/internal/gateway/forwarded"
	"gatehouse.dev/internal/gateway/hygiene"
	"gatehouse.dev/internal/gateway/problem"
	"gatehouse.dev/internal/gateway/proxy"
	"gatehouse.dev/internal/gateway/relay"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/inbound"
	"gatehouse.dev/internal/logging"
)

// Forwarder carries requests that have been let in.
type Forwarder struct {
	door       Door
	statements *statements
	stall      time.Duration
	longAfter  time.Duration
	sockets    relay.Options
	logger     *slog.Logger
	now        func() time.Time
}

func newForwarder(o Options) *Forwarder {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Stall <= 0 {
		o.Stall = proxy.DefaultStall
	}
	if o.LongAfter <= 0 {
		o.LongAfter = time.Second
	}
	o.Sockets.Wheel = o.Wheel
	return &Forwarder{
		door: o.Door, stall: o.Stall, longAfter: o.LongAfter, sockets: o.Sockets, logger: o.Logger, now: o.Now,
		statements: &statements{signer: o.Signer, log: o.Log, issuer: o.Issuer, house: o.House, now: o.Now},
	}
}

// carriage is a request with all that has been decided about it.
type carriage struct {
	facts    *inbound.Facts
	dialect  string // empty: the gateway's own
	route    string
	upstream *Upstream
	rules    *hygiene.Rules
	path     canonical.Path
	query    string
	maxBody  int64
	id       *identity.Identity // nil: nobody was asked
	recheck  func(ctx context.Context) (*identity.Identity, error)
	amend    func(http.Header)
	fail     func(status int, detail string) // nil: a problem
}

// carry forwards a request and answers it.
func (f *Forwarder) carry(w http.ResponseWriter, r *http.Request, c *carriage) {
	header, err := f.header(r, c)
	if err != nil {
		f.failHeader(w, r, c, err)
		return
	}
	ctx, long := r.Context(), (*long)(nil)
	if c.id != nil {
		long = f.watch(r, w, c)
		defer long.close()
		ctx = long.ctx
	}
	began := f.now()
	x := proxy.Exchange{
		Upstream: c.upstream.Pool, Path: c.path, Query: c.query, Header: header,
		KeepTrailer: c.rules.Trailer, MaxBody: c.maxBody, Stall: f.stall, Amend: c.amend,
	}
	if c.upstream.KeepHost {
		x.Host = c.facts.Authority
	}
	_, err = proxy.Serve(ctx, w, r, &x)
	logging.From(r.Context()).Upstream(c.upstream.Pool.Name(), f.now().Sub(began))
	if err == nil {
		return
	}
	var unanswered *proxy.Error
	if !errors.As(err, &unanswered) {
		logging.From(r.Context()).Refused(broken(ctx, err))
		panic(http.ErrAbortHandler) // an answer that broke off must not look whole
	}
	if r.Context().Err() == nil && unanswered.Status >= 500 {
		f.logger.WarnContext(r.Context(), "upstream failed", "upstream", c.upstream.Pool.Name(), "error", unanswered.Err)
	}
	status, detail := unanswered.Status, unanswered.Detail
	var ended *endedError
	if errors.As(context.Cause(ctx), &ended) {
		status, detail = EndedStatus(ended.code)
	}
	f.fail(w, r, c, status, detail)
}

// broken says for the log why an answer broke off.
func broken(ctx context.Context, err error) string {
	var ended *endedError
	if errors.As(context.Cause(ctx), &ended) {
		return ended.Error()
	}
	if ctx.Err() != nil {
		return "the caller left"
	}
	return "the answer broke off"
}

// header is what the backend gets, made right before that is sent: it fails with
// a Refusal where the caller's right has ended while he waited.
func (f *Forwarder) header(r *http.Request, c *carriage) (http.Header, error) {
	h := c.rules.Request(r)
	origin(c.facts).Set(h)
	if c.facts.RequestID != "" {
		h["X-Request-Id"] = []string{c.facts.RequestID}
	}
	if c.id == nil {
		return h, nil
	}
	statement, id, err := f.state(r.Context(), c.id, c.upstream.audience(), c.recheck)
	if err != nil {
		return nil, err
	}
	c.id, h[gateidentity.Header] = id, statement
	return h, nil
}

// state makes the statement about a caller, and then makes sure that he is still
// who it says.
func (f *Forwarder) state(ctx context.Context, id *identity.Identity, audience string, recheck func(context.Context) (*identity.Identity, error)) ([]string, *identity.Identity, error) {
	for range stateTries {
		statement, err := f.statements.about(ctx, id, audience)
		if err != nil {
			return nil, nil, err
		}
		now, err := f.door.Stand(ctx, id, recheck)
		if err != nil {
			return nil, nil, err
		}
		if now == id {
			return statement, id, nil
		}
		id = now
	}
	return nil, nil, errOvertaken
}

// stateTries bounds how often a statement is made anew for one request.
const stateTries = 3

var errOvertaken = errors.New("the caller's rights change too fast")

// failHeader answers whom header has failed.
func (f *Forwarder) failHeader(w http.ResponseWriter, r *http.Request, c *carriage, err error) {
	var refusal *authn.Refusal
	if errors.As(err, &refusal) {
		a := answerTo(refusal.Kind)
		f.fail(w, r, c, a.status, a.detail)
		return
	}
	f.logger.WarnContext(r.Context(), "no identity for the upstream", "upstream", c.upstream.Pool.Name(), "error", err)
	f.fail(w, r, c, http.StatusServiceUnavailable, "the request cannot be decided now")
}

// origin is what a backend is told, the host being the one that was decided on.
func origin(facts *inbound.Facts) forwarded.Origin {
	return forwarded.Origin{Peer: facts.Peer, Remote: facts.Remote, Scheme: facts.Scheme, Host: facts.Authority}
}

func (f *Forwarder) fail(w http.ResponseWriter, r *http.Request, c *carriage, status int, detail string) {
	logging.From(r.Context()).Refused(detail)
	if c.fail != nil {
		c.fail(status, detail)
		return
	}
	if c.amend != nil {
		c.amend(w.Header())
	}
	if status == http.StatusServiceUnavailable {
		problem.RetryAfter(w.Header(), 2*time.Second)
	}
	problem.Write(w, status, detail, c.facts.RequestID)
}

// For returns what a dialect forwards to: one upstream, under the dialect's
// name. maxBody bounds request bodies; 0: not.
func (f *Forwarder) For(dialectName string, u *Upstream, maxBody int64) dialect.Upstream {
	return &dialectUpstream{f, dialectName, u, maxBody, hygiene.Rules{}}
}

type dialectUpstream struct {
	*Forwarder
	name     string
	upstream *Upstream
	maxBody  int64
	rules    hygiene.Rules
}

// Forward implements dialect.Upstream.
func (d *dialectUpstream) Forward(w http.ResponseWriter, r *http.Request, f dialect.Forward) {
	facts := inbound.From(r.Context())
	if facts == nil { // a mistake in the wiring
		f.Fail(http.StatusInternalServerError, "the request cannot be decided")
		return
	}
	path, query, err := where(r)
	if err == nil && path.Odd != 0 {
		err = errors.New("the path has " + path.Odd.String() + ", which can be read in two ways")
	}
	if err == nil && path.Decoded != r.URL.Path {
		// The dialect has decided on one reading, and the backend would get another.
		err = errors.New("the path can be read in two ways")
	}
	if err != nil {
		f.Fail(http.StatusBadRequest, err.Error())
		return
	}
	logging.From(r.Context()).Path(path.Escaped)
	d.carry(w, r, &carriage{
		facts: facts, dialect: d.name, route: d.name, upstream: d.upstream, rules: &d.rules,
		path: path, query: query, maxBody: d.maxBody, id: f.Identity, recheck: f.Recheck, fail: f.Fail,
	})
}
