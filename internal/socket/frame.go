package socket

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// Frame is one whole frame of a server, in two parts that travel one after the
// other: a head of its own, and a body that it may share with other frames. A
// frame may be sent to any number of sockets at once; neither it nor the bytes
// it was made of must be changed afterwards.
type Frame struct {
	head, body []byte
}

// Len is the size of the frame as it travels.
func (f Frame) Len() int { return len(f.head) + len(f.body) }

// Text makes a text frame. The text must be UTF-8.
func Text(payload []byte) Frame { return makeFrame(ws.OpText, nil, payload) }

// TextParts makes a text frame whose text is prefix and then shared, which is
// not copied: what many get is kept once, whatever stands before it.
func TextParts(prefix, shared []byte) Frame { return makeFrame(ws.OpText, prefix, shared) }

// Binary makes a binary frame.
func Binary(payload []byte) Frame { return makeFrame(ws.OpBinary, nil, payload) }

// maxReason is what a close frame leaves for its reason.
const maxReason = ws.MaxControlFramePayloadSize - 2

// closeFrame makes a close frame; a code of 0 makes one without a body.
func closeFrame(code uint16, reason string) Frame {
	if code == 0 {
		return makeFrame(ws.OpClose, nil, nil)
	}
	for len(reason) > maxReason || !utf8.ValidString(reason) {
		reason = reason[:len(reason)-1]
	}
	body := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(reason)), code)
	return makeFrame(ws.OpClose, nil, append(body, reason...))
}

var pingFrame = makeFrame(ws.OpPing, nil, nil)

// maxHeader is the longest header of an unmasked frame.
const maxHeader = 10

func makeFrame(op ws.OpCode, prefix, body []byte) Frame {
	const fin = 0x80
	head := make([]byte, 0, maxHeader+len(prefix))
	head = append(head, fin|byte(op))
	switch n := len(prefix) + len(body); {
	case n < 126:
		head = append(head, byte(n))
	case n < 1<<16:
		head = append(head, 126)
		head = binary.BigEndian.AppendUint16(head, uint16(n))
	default:
		head = append(head, 127)
		head = binary.BigEndian.AppendUint64(head, uint64(n))
	}
	return Frame{append(head, prefix...), body}
}
