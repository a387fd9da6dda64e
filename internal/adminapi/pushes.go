package adminapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json/jsontext"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/field"
	"gatehouse.dev/internal/push"
)

// Pushes says things to open sockets; *push.Hub is one.
type Pushes interface {
	Send(ctx context.Context, tenant string, m push.Message) (push.Delivery, error)
}

func (a *api) pushes() {
	const tag = "Pushes"
	add(a, op{
		id: "push", method: http.MethodPost, path: "/v1/pushes", tag: tag, what: "pushes", body: maxPush,
		summary: "Send a packet to open sockets",
		detail:  "To one session, to all of a principal, or to all of the tenant, on every node. For FD1 sockets.",
	}, a.push)
	add(a, op{
		id: "publish-event", method: http.MethodPost, path: "/v1/events", tag: tag, what: "events", body: maxPush,
		summary: "Publish an event to whoever listens",
		detail:  "To the firehoses of FD1 sockets, on every node. It is kept for nobody.",
	}, a.publishEvent)
}

const maxPush = push.MaxContent + 4<<10

// PushTo is whose sockets a packet is for.
type PushTo struct {
	Conn      string `json:"conn,omitempty" maxLength:"64" doc:"Id of one session, as conns are listed"`
	Principal string `json:"principal,omitempty" maxLength:"64" doc:"Id of a principal, for all of its sessions"`
	All       bool   `json:"all,omitempty" doc:"All sessions of the tenant"`
}

// Push is a packet of the server to its clients.
type Push struct {
	To     PushTo          `json:"to"`
	Action string          `json:"a" maxLength:"200" doc:"The packet's action; begins with fn1." example:"fn1.link.link_status"`
	Values json.RawMessage `json:"v,omitempty" doc:"The packet's values, a JSON object"`
}

// Happening is an event for whoever listens.
type Happening struct {
	Event  string          `json:"event" maxLength:"200" doc:"Its kind, as firehoses name it" example:"device.event"`
	Schema string          `json:"sc,omitempty" maxLength:"200" doc:"What the values look like" example:"device.scale.reading"`
	Values json.RawMessage `json:"v" doc:"A JSON object"`
}

// Delivery says who took it.
type Delivery struct {
	Sockets   int            `json:"sockets" doc:"Sockets that took it, on the nodes that have answered"`
	Nodes     []NodeDelivery `json:"nodes" nullable:"false"`
	Unreached []string       `json:"unreached" nullable:"false" doc:"Nodes that are alive and had not answered"`
}

// NodeDelivery is the answer of one node.
type NodeDelivery struct {
	Node    string `json:"node"`
	Sockets int    `json:"sockets"`
}

type pushIn struct {
	InTenant
	Body Push
}

type eventIn struct {
	InTenant
	Body Happening
}

type deliveryOut struct{ Body Delivery }

func (a *api) push(ctx context.Context, c *call, in pushIn) (*deliveryOut, error) {
	b := in.Body
	if b.To.Principal != "" {
		if _, err := c.principal(ctx, b.To.Principal); err != nil {
			return nil, err
		}
	}
	return a.deliver(ctx, c, push.Message{Packet: &push.Packet{
		To: push.Target(b.To), Action: b.Action, Values: jsontext.Value(b.Values),
	}}, audit.Event{
		Action: "push.send", Target: cmp.Or(b.To.Conn, b.To.Principal, c.tenant.ID), Detail: map[string]string{"action": b.Action},
	})
}

func (a *api) publishEvent(ctx context.Context, c *call, in eventIn) (*deliveryOut, error) {
	b := in.Body
	return a.deliver(ctx, c, push.Message{Event: &push.Event{Name: b.Event, Schema: b.Schema, Values: jsontext.Value(b.Values)}}, audit.Event{
		Action: "event.publish", Target: c.tenant.ID, Detail: map[string]string{"event": b.Event, "schema": b.Schema},
	})
}

// deliver sends m. e says for the audit record what that is, without its values.
func (a *api) deliver(ctx context.Context, c *call, m push.Message, e audit.Event) (*deliveryOut, error) {
	d, err := a.Pushes.Send(ctx, c.tenant.ID, m)
	if err != nil {
		c.recordPush(ctx, e, err)
		return nil, pushProblem(err)
	}
	out := Delivery{Nodes: []NodeDelivery{}, Unreached: append([]string{}, d.Unreached...)}
	for _, n := range d.Nodes {
		out.Sockets += n.Sockets
		out.Nodes = append(out.Nodes, NodeDelivery{Node: n.Name, Sockets: n.Sockets})
	}
	e.Detail["sockets"] = strconv.Itoa(out.Sockets)
	c.recordPush(ctx, e, nil)
	return &deliveryOut{Body: out}, nil
}

// recordPush records who sent what to whom, and how it ended. A backend may send
// many, so they are counted and not written one by one.
func (c *call) recordPush(ctx context.Context, e audit.Event, err error) {
	e.Tenant, e.Outcome = c.tenant.ID, audit.OK
	e.Actor, e.Request, e.Dialect, e.Method = cmp.Or(c.by.Actor, "system"), c.by.Request, c.by.Dialect, c.by.Method
	if strings.Contains(c.by.Actor, "_") {
		e.Person = c.by.Actor
	}
	if c.by.Source.IsValid() {
		e.Personal = map[string]string{audit.FieldSource: c.by.Source.String()}
	}
	switch {
	case errors.Is(err, push.ErrBus):
		e.Outcome, e.Reason = audit.Failed, push.ErrBus.Error()
	case err != nil:
		e.Outcome, e.Reason = audit.Refused, "not a message that can be sent"
	}
	c.api.Recorder.RecordOften(ctx, e)
}

// pushProblem names the member that is at fault.
func pushProblem(err error) error {
	for fault, at := range map[error]string{
		push.ErrTarget: "to", push.ErrAction: "a", push.ErrEvent: "event", push.ErrContent: "v", push.ErrLarge: "v",
	} {
		if errors.Is(err, fault) {
			return field.Errorf(at, "is wrong: %v", fault)
		}
	}
	if errors.Is(err, push.ErrBus) {
		return retryLater(huma.Error503ServiceUnavailable("the nodes cannot reach each other now; try again shortly"), time.Second)
	}
	return err
}
