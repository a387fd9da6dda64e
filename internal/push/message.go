package push

import (
	"errors"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Limits on what a backend may say.
const (
	MaxContent = 64 << 10 // bytes of the values of one message
	MaxWord    = 200      // bytes of an action, an event or a schema
)

// Errors of messages. Each is the sender's fault.
var (
	ErrAction  = errors.New("the action must begin with fn1. and be words of letters, digits and _ with dots between them")
	ErrEvent   = errors.New("an event or schema must be words of letters, digits and _ with dots between them")
	ErrContent = errors.New("the values must be a JSON object")
	ErrLarge   = errors.New("the values are too large")
	ErrTarget  = errors.New("name a conn, a principal, or the whole tenant")

	// ErrBus is nobody's fault: the message did not get onto the bus.
	ErrBus = errors.New("the bus takes no messages")
)

// Message is one thing to be said: a Packet or an Event.
type Message struct {
	Packet *Packet `json:"packet,omitzero"`
	Event  *Event  `json:"event,omitzero"`
}

// Packet is for sockets that belong to somebody.
type Packet struct {
	To     Target         `json:"to"`
	Action string         `json:"a"` // fn1.…
	Values jsontext.Value `json:"v,omitzero"`

	shared forms
}

// Target is whose sockets a packet is for: exactly one of its fields is set.
type Target struct {
	Conn      string `json:"conn,omitzero"`
	Principal string `json:"principal,omitzero"`
	All       bool   `json:"all,omitzero"` // the whole tenant
}

// Event is for sockets that listen.
type Event struct {
	Name   string         `json:"event"`
	Schema string         `json:"sc,omitzero"` // what the values look like
	Values jsontext.Value `json:"v"`

	shared  forms
	members map[string]jsontext.Value
}

// Check says what is wrong with a message, and puts its values into their
// shortest form.
func (m *Message) Check() error {
	switch {
	case m.Packet != nil && m.Event == nil:
		return m.Packet.check()
	case m.Event != nil && m.Packet == nil:
		return m.Event.check()
	}
	return ErrContent
}

func (p *Packet) check() error {
	given := 0
	for _, there := range []bool{p.To.Conn != "", p.To.Principal != "", p.To.All} {
		if there {
			given++
		}
	}
	switch {
	case given != 1:
		return ErrTarget
	case len(p.Action) > MaxWord || len(p.Action) < 5 || p.Action[:4] != "fn1." || !Words(p.Action):
		return ErrAction
	case len(p.Values) == 0:
		return nil
	}
	return object(&p.Values)
}

func (e *Event) check() error {
	if len(e.Name) > MaxWord || len(e.Schema) > MaxWord || !Words(e.Name) || e.Schema != "" && !Words(e.Schema) {
		return ErrEvent
	}
	if err := object(&e.Values); err != nil {
		return err
	}
	if json.Unmarshal(e.Values, &e.members) != nil {
		return ErrContent
	}
	return nil
}

// object compacts a JSON object.
func object(v *jsontext.Value) error {
	if len(*v) > MaxContent {
		return ErrLarge
	}
	if v.Kind() != '{' || !v.IsValid() || v.Compact() != nil {
		return ErrContent
	}
	return nil
}

// Member is one of the values of an event that was checked; empty: there is
// none.
func (e *Event) Member(name string) jsontext.Value { return e.members[name] }

// Words reports whether s is words of letters, digits and "_" with dots
// between them.
func Words(s string) bool {
	begins := true
	for i := range len(s) {
		switch c := s[i]; {
		case c == '_', '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
			begins = false
		case c == '.' && !begins:
			begins = true
		default:
			return false
		}
	}
	return !begins
}
