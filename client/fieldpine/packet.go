package fieldpine

import (
	"encoding/json"
	"fmt"
)

// Request is one packet of a client. Only Action is needed.
type Request struct {
	Action   string `json:"a"`
	Query    any    `json:"q,omitempty"`
	Keywords any    `json:"qk,omitempty"`
	Output   any    `json:"qo,omitempty"`
	Key      any    `json:"k,omitempty"`
	Values   any    `json:"v,omitempty"`
	Thread   string `json:"rt,omitempty"`
	Mode     string `json:"mo,omitempty"`
}

// packet is a request as it travels.
type packet struct {
	Request
	ID string `json:"rq,omitempty"`
}

// response is anything a server sends.
type response struct {
	Answered string          `json:"r"`
	For      json.RawMessage `json:"rp"`
	Data     json.RawMessage `json:"data"`
	Error    *Error          `json:"error"`
	Chunk    int             `json:"ch"`

	// Of events and of messages that the server begins.
	Schema string          `json:"sc"`
	Action string          `json:"a"`
	Values json.RawMessage `json:"v"`

	Enc string `json:"enc"`
}

// id is the request that a response answers, as text.
func (r response) id() string {
	var text string
	if json.Unmarshal(r.For, &text) == nil {
		return text
	}
	return string(r.For)
}

// Error is what a server answers instead of data. Code is the thing to program
// against; Message is technical and may change.
type Error struct {
	Code     int
	Message  string
	Severity string
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("fieldpine: %d %s", e.Code, e.Message) }

// Push is a message that the server began: Action begins with "fn1.".
type Push struct {
	Action string
	Values json.RawMessage
}

// Event is one event of a firehose.
type Event struct {
	Schema string // "device.bluetooth.announcement"
	Values json.RawMessage
}
