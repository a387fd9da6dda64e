package fieldpine

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/push"
)

// firehose is a stream of events that lasts as long as its socket, or until it
// is cancelled by the id of the request that opened it, or until the right to
// it is gone (protocol description, 4.5).
type firehose struct {
	opening packet
	id      string // of the request, as text
	event   string
	filter  filter
	prefix  []byte                // of each event: whose request this answers
	login   atomic.Pointer[login] // in whose name
	open    atomic.Bool           // its opener has been told
}

var (
	errEvent = errors.New("v.event must name the kind of event")
	errTaken = errors.New("another request with this rq is under way")
	errMany  = errors.New("too many firehoses on this socket")
)

// parseFirehose reads the packet that opens one.
func parseFirehose(p packet) (*firehose, error) {
	var v struct {
		Event string `json:"event"`
	}
	if p.Values.Kind() != '{' || json.Unmarshal(p.Values, &v) != nil || len(v.Event) > push.MaxWord || !push.Words(v.Event) {
		return nil, errEvent
	}
	f, err := parseFilter(p.Query)
	if err != nil {
		return nil, err
	}
	id, _ := scalar(p.Request)
	h := &firehose{opening: packet{Action: p.Action, Request: p.Request, Thread: p.Thread}, id: id, event: v.Event, filter: f}
	h.prefix, err = h.makePrefix()
	return h, err
}

// makePrefix begins an event. The id of its request is text there, whatever it
// was in the request (protocol description, 7.8).
func (h *firehose) makePrefix() ([]byte, error) {
	prefix := []byte{'{'}
	if h.id != "" {
		id, err := jsontext.AppendQuote(nil, h.id)
		if err != nil {
			return nil, errNotPacket
		}
		prefix = append(append(append(prefix, `"rp":`...), id...), ',')
	}
	if len(h.opening.Thread) > 0 {
		prefix = append(append(append(prefix, `"rt":`...), h.opening.Thread...), ',')
	}
	return prefix, nil
}

// openFirehose begins one. It stands among those of the socket before anybody
// is asked whether it may, so that rights that go meanwhile are noticed.
func (c *conn) openFirehose(p packet) {
	h, err := parseFirehose(p)
	if err != nil {
		c.send(p.failed(http.StatusBadRequest, err.Error()))
		return
	}
	if err := c.addFirehose(h); err != nil {
		c.send(p.failed(http.StatusConflict, err.Error()))
		return
	}
	if err := c.permitFirehose(c.socket.Context(), h); err != nil {
		c.dropFirehose(h)
		code, message, _ := verdict(err)
		c.send(p.failed(code, message))
		return
	}
	c.acknowledge(p)
	h.open.Store(true)
}

func (c *conn) addFirehose(h *firehose) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.hoses) >= c.Config.Limits.Firehoses {
		return errMany
	}
	_, running := c.running[h.id]
	if h.id != "" && (running || slices.ContainsFunc(c.hoses, func(o *firehose) bool { return o.id == h.id })) {
		return errTaken
	}
	// A new slice each time: events are delivered from the old one.
	c.hoses = append(slices.Clip(slices.Clone(c.hoses)), h)
	return nil
}

// dropFirehose reports whether it was there.
func (c *conn) dropFirehose(h *firehose) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.hoses, h)
	if i >= 0 {
		c.hoses = slices.Delete(slices.Clone(c.hoses), i, i+1)
	}
	return i >= 0
}

// cancelFirehose ends the one that the request opened.
func (c *conn) cancelFirehose(id string) {
	if id == "" {
		return
	}
	for _, h := range c.firehoses() {
		if h.id == id {
			c.dropFirehose(h)
		}
	}
}

func (c *conn) firehoses() []*firehose {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hoses
}

// permitFirehose finds a login of the session that may listen; one is enough.
func (c *conn) permitFirehose(ctx context.Context, h *firehose) error {
	err := error(errGone)
	for _, l := range c.session(h.opening.Thread) {
		if err = c.Door.Allow(ctx, policy.Request{
			Identity: l.identity.Load(), Action: actionOf(actionFirehose), Resource: h.resource(), Source: c.facts.Remote,
		}); err == nil {
			h.login.Store(l)
			return nil
		}
	}
	return err
}

// resource is what policy knows a firehose by: the kind of event, and as its
// attribute the schemas that it lets through.
func (h *firehose) resource() policy.Resource {
	return policy.Resource{
		Type: "Firehose", ID: h.event, Attrs: map[string]string{"schema": h.filter.schema()},
		Parents: []policy.Parent{{Type: "Fd1", ID: actionFirehose}},
	}
}

// reviewFirehoses asks again about all of them, after rights have changed or a
// login has gone. Those that may not be any more end, and their openers hear
// of it. An error means that it could not be found out.
func (c *conn) reviewFirehoses(ctx context.Context) error {
	for _, h := range c.firehoses() {
		err := c.stillPermitted(ctx, h)
		var r *authn.Refusal
		if errors.As(err, &r) && r.Temporary() {
			return err
		}
		if err != nil && c.dropFirehose(h) {
			code, message, _ := verdict(err)
			c.send(h.opening.failed(code, message))
		}
	}
	return nil
}

// stillPermitted is permitFirehose for one that is open. What a thread opened in
// a session of its own ends with that session.
func (c *conn) stillPermitted(ctx context.Context, h *firehose) error {
	if l := h.login.Load(); l != nil && l.thread != "" && l.handle.Ended() != 0 {
		return errGone
	}
	return c.permitFirehose(ctx, h)
}

// Event implements push.Receiver.
func (c *conn) Event(e *push.Event) bool {
	taken := false
	for _, h := range c.firehoses() {
		if !h.open.Load() || h.event != e.Name || !h.filter.matches(e) {
			continue
		}
		if h.login.Load().passes() {
			taken = c.sendShared(h.prefix, e.Encoded(wireForm{}, encodeEvent)) == nil || taken
		}
	}
	return taken
}

// encodeEvent is the part of an event that is the same for all who listen.
func encodeEvent(e *push.Event) []byte {
	var tail []byte
	if e.Schema != "" {
		tail = append(append(append(tail, `"sc":"`...), e.Schema...), `",`...)
	}
	return append(append(append(tail, `"v":`...), e.Values...), '}')
}
