package socket

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// Frame is one whole frame of a server as it travels. It may be sent to any
// number of sockets at once, and must not be changed.
type Frame []byte

// Text makes a text frame. The text must be UTF-8.
func Text(payload []byte) Frame { return encode(ws.OpText, payload) }

// Binary makes a binary frame.
func Binary(payload []byte) Frame { return encode(ws.OpBinary, payload) }

// maxReason is what a close frame leaves for its reason.
const maxReason = ws.MaxControlFramePayloadSize - 2

// closeFrame makes a close frame; a code of 0 makes one without a body.
func closeFrame(code uint16, reason string) Frame {
	if code == 0 {
		return encode(ws.OpClose, nil)
	}
	for len(reason) > maxReason || !utf8.ValidString(reason) {
		reason = reason[:len(reason)-1]
	}
	body := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(reason)), code)
	return encode(ws.OpClose, append(body, reason...))
}

var pingFrame = encode(ws.OpPing, nil)

func encode(op ws.OpCode, payload []byte) Frame {
	const fin = 0x80
	f := make(Frame, 0, 10+len(payload))
	f = append(f, fin|byte(op))
	switch n := len(payload); {
	case n < 126:
		f = append(f, byte(n))
	case n < 1<<16:
		f = append(f, 126)
		f = binary.BigEndian.AppendUint16(f, uint16(n))
	default:
		f = append(f, 127)
		f = binary.BigEndian.AppendUint64(f, uint64(n))
	}
	return append(f, payload...)
}
