package dialecttest

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"syscall"

	"github.com/gobwas/ws"
)

var opcodes = map[string]ws.OpCode{
	"text": ws.OpText, "binary": ws.OpBinary, "ping": ws.OpPing, "pong": ws.OpPong, "close": ws.OpClose,
}

// sendFrame writes one masked frame.
func (p *player) sendFrame(l line, conn io.Writer) error {
	kind, text, _ := strings.Cut(l.text, " ")
	op, known := opcodes[kind]
	if !known {
		return failed(l, "no frame is called %q", kind)
	}
	text, err := expand(text, p.vars)
	if err != nil {
		return failed(l, "%w", err)
	}
	payload, err := encodePayload(op, text)
	if err != nil {
		return failed(l, "%w", err)
	}
	if err := ws.WriteFrame(conn, ws.MaskFrameInPlace(ws.NewFrame(op, true, payload))); err != nil {
		return failed(l, "send: %w", err)
	}
	return nil
}

// readFrame expects one frame. Control frames count like all others: a
// recording says what travels, pings included.
func (p *player) readFrame(l line, in *bufio.Reader) error {
	kind, text, _ := strings.Cut(l.text, " ")
	if kind == "eof" {
		if b, err := in.ReadByte(); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
			return failed(l, "the connection goes on: %x, %v", b, err)
		}
		return nil
	}
	op, known := opcodes[kind]
	if !known {
		return failed(l, "no frame is called %q", kind)
	}
	expected, err := compile(text, p.vars)
	if err != nil {
		return failed(l, "%w", err)
	}
	f, err := nextFrame(in)
	if err != nil {
		return failed(l, "no frame: %w", err)
	}
	if got := decodePayload(f); f.Header.OpCode != op || !expected.match(got, p.vars) {
		return failed(l, "frame (opcode %d) holds\n%s\nwant %s\n%s", f.Header.OpCode, got, kind, text)
	}
	return nil
}

// frameLimit is more than any message in a recording.
const frameLimit = 1 << 20

func nextFrame(in io.Reader) (ws.Frame, error) {
	h, err := ws.ReadHeader(in)
	if err != nil {
		return ws.Frame{}, err
	}
	if h.Length > frameLimit {
		return ws.Frame{}, fmt.Errorf("it has %d bytes", h.Length)
	}
	payload := make([]byte, h.Length)
	_, err = io.ReadFull(in, payload)
	return ws.Frame{Header: h, Payload: payload}, err
}

// encodePayload reads what a recording says of a frame: hex for binary, code
// and reason for close, the text itself for the others.
func encodePayload(op ws.OpCode, text string) ([]byte, error) {
	switch {
	case op == ws.OpBinary:
		return hex.DecodeString(text)
	case op == ws.OpClose && text != "":
		code, reason, _ := strings.Cut(text, " ")
		n, err := strconv.ParseUint(code, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("close code: %w", err)
		}
		return ws.NewCloseFrameBody(ws.StatusCode(n), reason), nil
	}
	return []byte(text), nil
}

// decodePayload is the way back.
func decodePayload(f ws.Frame) string {
	switch {
	case f.Header.OpCode == ws.OpBinary:
		return hex.EncodeToString(f.Payload)
	case f.Header.OpCode == ws.OpClose && len(f.Payload) > 0:
		code, reason := ws.ParseCloseFrameData(f.Payload)
		return strings.TrimSuffix(strconv.Itoa(int(code))+" "+reason, " ")
	}
	return string(f.Payload)
}
