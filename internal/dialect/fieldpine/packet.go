package fieldpine

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Limits on a packet's parts. The protocol fixes the first.
const (
	maxRequestID = 200 // characters; a request id must be shorter
	maxAction    = 200
	maxThread    = 200
	maxDepth     = 64
)

const (
	actionPrefix   = "fd1."
	actionLogin    = "fd1.session.login"
	actionIgnore   = "fd1.session.ignore"
	actionOption   = "fd1.session.set_option"
	actionCancel   = "fd1.session.cancel_request"
	actionFirehose = "fd1.firehose.open_firehose"
	innerPrefix    = "fd1.diag." // the vendor's own
)

// Errors of reading a packet.
var (
	errNotPacket = errors.New("not an FD1 packet")
	errRequestID = errors.New("rq must be shorter than 200 characters")
	errAction    = errors.New("a names no endpoint")
	errForeign   = errors.New("packet of another protocol type")
)

// packet is one request. Members are matched exactly, given once each, and kept
// as they were sent, so that what is decided on is what goes on to the backend.
type packet struct {
	Action   string         `json:"a,omitzero"`
	Query    jsontext.Value `json:"q,omitzero"`
	Keywords jsontext.Value `json:"qk,omitzero"`
	Output   jsontext.Value `json:"qo,omitzero"`
	Key      jsontext.Value `json:"k,omitzero"`
	Values   jsontext.Value `json:"v,omitzero"`
	Request  jsontext.Value `json:"rq,omitzero"`
	Thread   jsontext.Value `json:"rt,omitzero"`
	Protocol jsontext.Value `json:"pt,omitzero"`
	Mode     jsontext.Value `json:"mo,omitzero"`
	Enc      jsontext.Value `json:"enc,omitzero"`
}

// parsePacket reads one packet. An error of errRequestID or errAction comes with
// the packet, so that the answer can name what it answers; errForeign is for
// someone else and gets no answer.
func parsePacket(raw []byte) (packet, error) {
	if !shallow(raw) {
		return packet{}, errNotPacket
	}
	var p packet
	if err := json.Unmarshal(raw, &p); err != nil || bytes.Contains(raw, []byte(`\u0000`)) {
		return packet{}, errNotPacket
	}
	if text, ok := scalar(p.Protocol); !ok || text != "" && text != "fd1" {
		return p, errForeign
	}
	if len(p.Enc) > 0 {
		return p, p.checkEncrypted()
	}
	if id, ok := scalar(p.Request); !ok || utf8.RuneCountInString(id) >= maxRequestID {
		p.Request = nil
		return p, errRequestID
	}
	if thread, ok := scalar(p.Thread); !ok || utf8.RuneCountInString(thread) >= maxThread {
		return packet{}, errNotPacket
	}
	action, ok := canonicalAction(p.Action)
	if !ok {
		return p, errAction
	}
	p.Action = action
	return p, nil
}

// checkEncrypted refuses an encrypted packet with clear members beside it.
func (p packet) checkEncrypted() error {
	if p.Enc.Kind() != '"' || p.Action != "" || len(p.Query)+len(p.Keywords)+len(p.Output)+len(p.Key)+
		len(p.Values)+len(p.Request)+len(p.Thread)+len(p.Mode) > 0 {
		return errNotPacket
	}
	return nil
}

// canonicalAction adds the fd1. that some clients leave out. The login must
// bear its full name, and is refused here without it.
func canonicalAction(a string) (string, bool) {
	if len(a) > maxAction {
		return "", false
	}
	full := a
	if !strings.HasPrefix(a, actionPrefix) {
		full = actionPrefix + a
	}
	parts := strings.Split(full, ".")
	if len(parts) < 3 || full == actionLogin && a != full {
		return "", false
	}
	for _, part := range parts {
		if !isWord(part) {
			return "", false
		}
	}
	return full, true
}

func isWord(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return s != ""
}

// scalar is the text of a string, number or boolean; absent and null are empty.
func scalar(v jsontext.Value) (string, bool) {
	switch v.Kind() {
	case jsontext.KindInvalid:
		return "", len(v) == 0
	case 'n':
		return "", true
	case '"':
		b, err := jsontext.AppendUnquote(nil, v)
		return string(b), err == nil
	case '0', 't', 'f':
		return string(v), true
	}
	return "", false
}

// shallow bounds the nesting before anything recursive reads it.
func shallow(raw []byte) bool {
	depth, inText := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case inText && c == '\\':
			i++
		case c == '"':
			inText = !inText
		case inText:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return false
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return true
}

// reply is one response.
type reply struct {
	Action string         `json:"r,omitzero"`
	For    jsontext.Value `json:"rp,omitzero"` // the request's rq, in the JSON type it had
	Thread jsontext.Value `json:"rt,omitzero"`
	Chunk  int            `json:"ch,omitzero"`
	Data   jsontext.Value `json:"data,omitzero"`
	Error  *replyError    `json:"error,omitzero"`
}

// replyError is the vendor's error object. Code is the thing to program against.
type replyError struct {
	Code     int
	Message  string
	Severity string
}

// answer begins the response to p.
func (p packet) answer() reply {
	return reply{Action: p.Action, For: p.Request, Thread: p.Thread}
}

// failed is the response to p that says what went wrong.
func (p packet) failed(code int, message string) reply {
	r := p.answer()
	r.Error = &replyError{Code: code, Message: message, Severity: "Error"}
	return r
}

// encode writes a reply. Data must be valid JSON.
func (r reply) encode() ([]byte, error) { return json.Marshal(r) }
