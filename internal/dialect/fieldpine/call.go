package fieldpine

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"gatehouse.dev/internal/dialect"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/inbound"
	"gatehouse.dev/internal/policy"
)

// call passes one request of a socket on. When as many are under way as may be,
// it waits, and with it whatever the socket says next.
func (c *conn) call(p packet) {
	ctx := c.socket.Context()
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return
	}
	ctx, cancel := context.WithTimeout(ctx, c.Config.Limits.Patience)
	id := c.track(p, cancel)
	go func() {
		defer func() { <-c.slots }()
		defer c.untrack(id, cancel)
		l, r := c.perform(ctx, p)
		// What was asked in the name of a login that is gone is not told.
		if l == nil || l.handle.Ended() == 0 && l.handle.Pass(ctx) == nil {
			c.reply(p, r)
		}
	}()
}

// track makes a request one that can be cancelled by its id.
func (c *conn) track(p packet, cancel context.CancelFunc) (id string) {
	id, _ = scalar(p.Request)
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, taken := c.running[id]; id == "" || taken {
		return ""
	}
	c.running[id] = cancel
	return id
}

func (c *conn) untrack(id string, cancel context.CancelFunc) {
	if id != "" {
		c.mu.Lock()
		delete(c.running, id)
		c.mu.Unlock()
	}
	cancel()
}

// cancel gives up a request that is under way, as far as that is possible.
func (c *conn) cancel(p packet) {
	id, _ := scalar(p.Key)
	c.mu.Lock()
	stop := c.running[id]
	c.mu.Unlock()
	if stop != nil {
		stop()
	}
	c.cancelFirehose(id)
	c.acknowledge(p)
}

// perform asks for each login of the packet's session, in their order, whether
// it may; one that may is enough.
func (c *conn) perform(ctx context.Context, p packet) (*login, reply) {
	endpoint, ok := c.endpoint(c.facts, p)
	if !ok {
		return nil, p.failed(http.StatusNotFound, "unknown endpoint")
	}
	err := error(errGone) // of a session that ended meanwhile
	for _, l := range c.session(p.Thread) {
		id := l.identity.Load()
		if err = c.allowed(ctx, id, c.facts, p, endpoint); err == nil && l.handle.Ended() != 0 {
			err = errGone // asking took longer than the login lasted
		}
		if err == nil {
			return l, c.ask(ctx, p, endpoint, c.facts, id, func(ctx context.Context) (*identity.Identity, error) {
				return c.readmit(ctx, l, p, endpoint)
			})
		}
	}
	code, message, _ := verdict(err)
	return nil, p.failed(code, message)
}

// readmit is asked for requests that are still under way when rights change.
func (c *conn) readmit(ctx context.Context, l *login, p packet, e Endpoint) (*identity.Identity, error) {
	id, err := c.Door.Renew(ctx, l.identity.Load(), c.facts.Remote)
	if err != nil {
		return nil, err
	}
	return id, c.allowed(ctx, id, c.facts, p, e)
}

func (s *service) endpoint(facts *inbound.Facts, p packet) (Endpoint, bool) {
	if strings.HasPrefix(p.Action, innerPrefix) {
		return Endpoint{}, false
	}
	return s.Endpoints.Endpoint(facts.Tenant.ID, p.Action)
}

func (s *service) allowed(ctx context.Context, id *identity.Identity, facts *inbound.Facts, p packet, e Endpoint) error {
	return s.Door.Allow(ctx, policy.Request{
		Identity: id, Action: actionOf(p.Action), Resource: p.resourceOf(e), Source: facts.Remote,
	})
}

// ask sends a packet to its backend as an HTTP request, and makes a response of
// the answer.
func (s *service) ask(ctx context.Context, p packet, e Endpoint, facts *inbound.Facts, id *identity.Identity,
	recheck func(context.Context) (*identity.Identity, error),
) reply {
	body, err := p.forUpstream()
	if err != nil {
		return p.failed(http.StatusBadRequest, "not an FD1 packet")
	}
	r, err := http.NewRequestWithContext(inbound.With(ctx, facts), http.MethodPost, pathOf(p.Action), bytes.NewReader(body))
	if err != nil {
		return p.failed(http.StatusBadRequest, "not an endpoint")
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.RequestURI, r.Host, r.RemoteAddr = r.URL.Path, facts.Host, facts.Peer.String()+":0"
	got := &capture{header: make(http.Header), most: s.Config.Limits.Answer}
	var failure *reply
	whole := s.forward(e.Upstream, got, r, dialect.Forward{
		Identity: id,
		Recheck:  recheck,
		Fail: func(status int, detail string) {
			f := p.failed(status, detail)
			failure = &f
		},
	})
	switch {
	case failure != nil:
		return *failure
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		return p.failed(http.StatusGatewayTimeout, "the backend took too long")
	case got.tooLarge:
		return p.failed(http.StatusBadGateway, "the backend's answer is too large")
	case !whole:
		return p.failed(http.StatusBadGateway, "the backend's answer broke off")
	}
	return p.fromUpstream(got)
}

// forward reports whether the answer is whole. One that breaks off ends in a
// panic that is meant for the HTTP server ([http.ErrAbortHandler]); nobody above
// this goroutine would catch it, or another one.
func (s *service) forward(to dialect.Upstream, got *capture, r *http.Request, f dialect.Forward) (whole bool) {
	defer func() {
		p := recover()
		if p != nil && p != http.ErrAbortHandler {
			s.Logger.Error("panic while asking a backend", "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
		}
		whole = p == nil
	}()
	to.Forward(got, r, f)
	return true
}

// pathOf is where the action stands over HTTP: fd1.products.get_products is
// /fd1/products/get_products.
func pathOf(action string) string { return "/" + strings.ReplaceAll(action, ".", "/") }

// forUpstream is the packet as a backend gets it: what was decided on, and not
// what only the socket is about.
func (p packet) forUpstream() ([]byte, error) {
	p.Request, p.Thread, p.Protocol, p.Mode = nil, nil, nil, nil
	return p.encode()
}

// fromUpstream makes a response of an HTTP answer: 2xx JSON becomes data (a
// list data.rows), any other status an error with that code.
func (p packet) fromUpstream(got *capture) reply {
	status := cmp.Or(got.status, http.StatusOK)
	if status < 200 || status > 299 {
		return p.failed(status, problemOf(got.body.Bytes(), status))
	}
	r := p.answer()
	data := jsontext.Value(got.body.Bytes())
	switch {
	case len(bytes.TrimSpace(data)) == 0:
		r.Data = emptyObject
	case data.Compact() != nil:
		return p.failed(http.StatusBadGateway, "the backend's answer is not JSON")
	case data.Kind() == '[':
		r.Data = append(append(jsontext.Value(`{"rows":`), data...), '}')
	default:
		r.Data = data
	}
	return r
}

// problemOf finds the words for an error in what a backend said: an error
// packet, or an RFC 9457 problem.
func problemOf(body []byte, status int) string {
	var said struct {
		Error         struct{ Message string }
		Detail, Title string
	}
	if json.Unmarshal(body, &said) == nil {
		if text := cmp.Or(said.Error.Message, said.Detail, said.Title); text != "" && len(text) < 500 {
			return text
		}
	}
	return cmp.Or(http.StatusText(status), "error")
}

// capture is an http.ResponseWriter that keeps the answer, up to a bound.
type capture struct {
	header   http.Header
	status   int
	body     bytes.Buffer
	most     int // bytes of body
	tooLarge bool
}

func (c *capture) Header() http.Header { return c.header }

// Flush has nothing to do. Without it an answer of unknown length would count as
// broken off: such answers are flushed as they come.
func (c *capture) Flush() {}

func (c *capture) WriteHeader(status int) {
	if c.status == 0 && status >= 200 {
		c.status = status
	}
}

var errTooLarge = errors.New("answer is too large")

func (c *capture) Write(b []byte) (int, error) {
	c.WriteHeader(http.StatusOK)
	if c.body.Len()+len(b) > c.most {
		c.tooLarge = true
		return 0, errTooLarge
	}
	return c.body.Write(b)
}
