package dialecttest

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gobwas/ws"
)

var opcodes = map[string]ws.OpCode{
	"text": ws.OpText, "binary": ws.OpBinary, "ping": ws.OpPing, "pong": ws.OpPong, "close": ws.OpClose,
}

// wire is an upgraded connection, as it is read.
type wire struct {
	in    *bufio.Reader
	conn  net.Conn
	until time.Time // the end of the exchange's patience
}

// sendFrame writes one masked frame.
func (p *player) sendFrame(l line, conn io.Writer) error {
	kind, text, _ := strings.Cut(l.text, " ")
	text, err := expand(text, p.vars)
	if err != nil {
		return failed(l, "%w", err)
	}
	op, payload, err := p.encode(kind, text)
	if err != nil {
		return failed(l, "%w", err)
	}
	if err := ws.WriteFrame(conn, ws.MaskFrameInPlace(ws.NewFrame(op, true, payload))); err != nil {
		return failed(l, "send: %w", err)
	}
	return nil
}

func (p *player) encode(kind, text string) (ws.OpCode, []byte, error) {
	if form, known := p.Forms[kind]; known && form.Encode != nil {
		payload, err := form.Encode(text)
		return ws.OpText, []byte(payload), err
	}
	op, known := opcodes[kind]
	if !known {
		return 0, nil, fmt.Errorf("no frame that is sent is called %q", kind)
	}
	payload, err := encodePayload(op, text)
	return op, payload, err
}

// readLater reads what comes, or that nothing does, at its time.
func (p *player) readLater(l line, w *wire) error {
	kind, text, _ := strings.Cut(l.text, " ")
	if kind != "within" && kind != "silence" {
		return p.readFrame(l, kind, text, w.in)
	}
	limit, rest, _ := strings.Cut(text, " ")
	d, err := time.ParseDuration(limit)
	if err != nil {
		return failed(l, "%w", err)
	}
	w.conn.SetReadDeadline(time.Now().Add(d))
	defer w.conn.SetReadDeadline(w.until)
	if kind == "silence" {
		return silence(l, w.in)
	}
	kind, text, _ = strings.Cut(rest, " ")
	return p.readFrame(l, kind, text, w.in)
}

// silence wants the deadline to pass with nothing to read, and no end either.
func silence(l line, in *bufio.Reader) error {
	_, err := in.Peek(1)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	if err != nil {
		return failed(l, "the silence was broken: %w", err)
	}
	f, err := nextFrame(in)
	if err != nil {
		return failed(l, "the silence was broken: %w", err)
	}
	return failed(l, "the silence was broken: frame (opcode %d) holds\n%s", f.Header.OpCode, decodePayload(f))
}

// readFrame expects one frame. Control frames count like all others: a
// recording says what travels, pings included.
func (p *player) readFrame(l line, kind, text string, in *bufio.Reader) error {
	if kind == "eof" {
		if b, err := in.ReadByte(); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
			return failed(l, "the connection goes on: %x, %v", b, err)
		}
		return nil
	}
	form := p.Forms[kind]
	op, known := opcodes[kind]
	if form.Decode != nil {
		op, known = ws.OpText, true
	}
	if !known {
		return failed(l, "no frame that comes is called %q", kind)
	}
	expected, err := compile(text, p.vars)
	if err != nil {
		return failed(l, "%w", err)
	}
	f, err := nextFrame(in)
	if err != nil {
		return failed(l, "no frame: %w", err)
	}
	got := decodePayload(f)
	if form.Decode != nil && f.Header.OpCode == op {
		if got, err = form.Decode(got); err != nil {
			return failed(l, "frame holds\n%s\nwhich is not %s: %w", decodePayload(f), kind, err)
		}
	}
	if f.Header.OpCode != op || !expected.match(got, p.vars) {
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
