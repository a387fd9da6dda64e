package upstream

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse.dev/internal/gateway/h1"
)

// Pool is one backend. It is safe for concurrent use.
type Pool struct {
	name      string
	scheme    string
	config    Config
	addresses []*address
	dialer    *dialer
	transport *http.Transport
	next      atomic.Uint32
}

// Name is what routes call this backend.
func (p *Pool) Name() string { return p.name }

// Status lists the addresses.
func (p *Pool) Status() []Status {
	now := time.Now()
	out := make([]Status, 0, len(p.addresses))
	for _, a := range p.addresses {
		out = append(out, Status{a.scheme + "://" + a.host, a.usable(now)})
	}
	return out
}

// CloseIdle closes connections that nobody uses.
func (p *Pool) CloseIdle() {
	p.transport.CloseIdleConnections()
	for _, a := range p.addresses {
		if a.lean != nil {
			a.lean.CloseIdle()
		}
	}
}

// Send performs one exchange. It sets the scheme and host of req.URL, and
// req.Host when that is empty. Unlike an http.RoundTripper it does not always
// close req.Body, because another address may need it; the caller must. inform,
// which may be nil, is told of 1xx answers before Send returns.
func (p *Pool) Send(req *http.Request, inform h1.Inform) (*http.Response, error) {
	if len(p.addresses) == 1 {
		return p.sendTo(p.addresses[0], req, inform)
	}
	var body *guard
	if req.Body != nil && req.Body != http.NoBody {
		body = &guard{body: req.Body}
		req.Body = body
	}
	var tried uint64
	for {
		a := p.pick(&tried)
		res, err := p.sendTo(a, req, inform)
		var unsent *DialError
		if err == nil || !errors.As(err, &unsent) || tried == p.all() ||
			req.Context().Err() != nil || body != nil && body.touched.Load() {
			return res, err
		}
	}
}

func (p *Pool) sendTo(a *address, req *http.Request, inform h1.Inform) (*http.Response, error) {
	req.URL.Scheme, req.URL.Host = a.scheme, a.host
	var res *http.Response
	var err error
	if a.lean != nil {
		res, err = a.lean.Do(req, inform)
	} else {
		res, err = p.roundTrip(req, inform)
	}
	p.note(a, req.Context(), err)
	return res, err
}

// roundTrip is for HTTP/2 and TLS. The transport tells of 1xx answers on a
// goroutine of its own, maybe after RoundTrip has returned; then it is too late.
func (p *Pool) roundTrip(req *http.Request, inform h1.Inform) (*http.Response, error) {
	if inform == nil {
		return p.transport.RoundTrip(req)
	}
	var mu sync.Mutex
	over := false
	ctx := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
			mu.Lock()
			defer mu.Unlock()
			if over || code == http.StatusContinue {
				return nil
			}
			return inform(code, http.Header(header))
		},
	})
	res, err := p.transport.RoundTrip(req.WithContext(ctx))
	mu.Lock()
	over = true
	mu.Unlock()
	return res, err
}

// note learns from the outcome of one exchange. What the caller's side caused
// says nothing about the address.
func (p *Pool) note(a *address, ctx context.Context, err error) {
	if err == nil {
		a.good()
		return
	}
	var own interface{ CallerSide() bool }
	if over(ctx) || errors.As(err, &own) {
		return
	}
	weight := 1
	var unsent *DialError
	if errors.As(err, &unsent) {
		weight = suspicion
	}
	if a.bad(weight, time.Now()) {
		p.config.Logger.LogAttrs(ctx, slog.LevelWarn, "upstream address avoided",
			slog.String("upstream", p.name), slog.String("address", a.host), slog.String("error", err.Error()))
	}
}

// over reports whether ctx has ended, or is about to: a connection notices a
// deadline by a timer of its own, maybe a moment earlier.
func over(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(deadline)
}

// all is the set of every address, of which [Pool.pick] knows 64.
func (p *Pool) all() uint64 { return 1<<min(len(p.addresses), 64) - 1 }

// pick takes the next address in turn that is usable and not yet tried, or,
// when none is, the next not yet tried.
func (p *Pool) pick(tried *uint64) *address {
	n := min(len(p.addresses), 64)
	start := int(p.next.Add(1) % uint32(n))
	now := time.Now()
	fallback := -1
	for i := range n {
		k := (start + i) % n
		if *tried&(1<<k) != 0 {
			continue
		}
		if p.addresses[k].usable(now) {
			*tried |= 1 << k
			return p.addresses[k]
		}
		if fallback < 0 {
			fallback = k
		}
	}
	*tried |= 1 << fallback
	return p.addresses[fallback]
}

// Dial opens a connection for HTTP/1.1, for a protocol that takes it over. It
// returns the host that was dialed.
func (p *Pool) Dial(ctx context.Context) (net.Conn, string, error) {
	var tried uint64
	for {
		a := p.pick(&tried)
		var c net.Conn
		var err error
		if a.scheme == "https" {
			c, err = p.dialer.handshake(ctx, "tcp", a.dial, "http/1.1")
		} else {
			c, err = p.dialer.plain(ctx, "tcp", a.dial)
		}
		p.note(a, ctx, err)
		if err == nil || tried == p.all() || ctx.Err() != nil {
			return c, a.host, err
		}
	}
}

// guard notes whether anything was read of a body, and keeps a transport that
// failed to connect from closing it.
type guard struct {
	body    io.Reader
	touched atomic.Bool
}

func (g *guard) Read(b []byte) (int, error) {
	g.touched.Store(true)
	return g.body.Read(b)
}

func (g *guard) Close() error { return nil }
