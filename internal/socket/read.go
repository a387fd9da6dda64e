package socket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// read is the one reader of a socket, from Start to the end.
func (c *Conn) read() {
	err := c.readMessages()
	var fault *fault
	if errors.As(err, &fault) {
		c.Close(fault.code, fault.reason)
		c.linger(c.kind.o.CloseTimeout)
	}
	c.mu.Lock()
	if c.why == nil {
		c.why = err
	}
	c.closing = true
	c.mu.Unlock()
	c.kind.o.Wheel.enders.do((*ending)(c))
}

// end clears away a socket whose reader has gone.
func (c *Conn) end() {
	c.mu.Lock()
	why := c.why
	c.mu.Unlock()
	c.drop(why)
	c.kind.o.Wheel.Stop(&c.timer)
	c.handler.Ended(c, why)
}

// fault is a breach of the protocol, with the close code that says so.
type fault struct {
	code   uint16
	reason string
}

func (f *fault) Error() string { return fmt.Sprintf("%d %s", f.code, f.reason) }

func protocolFault(reason string) error { return &fault{CodeProtocol, reason} }

// message is one that is being put together.
type message struct {
	op      ws.OpCode
	payload *[]byte // borrowed; nil between messages
	skipped int64   // bytes of a message that is too long and being discarded
}

func (c *Conn) readMessages() error {
	var m message
	defer m.giveBack()
	for {
		h, err := c.readHeader(m.payload != nil)
		if err != nil {
			return err
		}
		if h.OpCode.IsControl() {
			if err := c.control(h, m.payload != nil); err != nil {
				return err
			}
			continue
		}
		if err := c.readData(&m, h); err != nil {
			return err
		}
		if h.Fin {
			if err := c.deliver(&m); err != nil {
				return err
			}
		}
	}
}

// readHeader waits for a frame, for ever between messages: pings see to peers
// that are gone. From the first byte on the peer has ReadTimeout.
func (c *Conn) readHeader(fragmented bool) (ws.Header, error) {
	in := (*input)(c)
	n, err := io.ReadAtLeast(in, c.first[:], 2)
	if err != nil {
		return ws.Header{}, err
	}
	first := c.first[:n]
	if !fragmented {
		c.raw.SetReadDeadline(time.Now().Add(c.kind.o.ReadTimeout))
	}
	if first[1]&0x80 == 0 {
		return ws.Header{}, protocolFault(ws.ErrProtocolMaskRequired.Error())
	}
	h, err := ws.ReadHeader(&prefixed{first, in})
	if err != nil {
		if errors.Is(err, ws.ErrHeaderLengthMSB) || errors.Is(err, ws.ErrHeaderLengthUnexpected) {
			err = protocolFault("frame length")
		}
		return h, err
	}
	if !minimalLength(first[1], h.Length) {
		return h, protocolFault("frame length is not in its shortest form")
	}
	state := ws.StateServerSide
	if fragmented {
		state = state.Set(ws.StateFragmented)
	}
	if err := ws.CheckHeader(h, state); err != nil {
		return h, protocolFault(err.Error())
	}
	return h, nil
}

// minimalLength holds RFC 6455, 5.2: the minimal number of bytes must be used
// to encode the length.
func minimalLength(second byte, length int64) bool {
	switch second & 0x7f {
	case 126:
		return length >= 126
	case 127:
		return length > math.MaxUint16
	}
	return true
}

// readData appends the payload of a data frame to the message.
func (c *Conn) readData(m *message, h ws.Header) error {
	if m.payload == nil {
		if h.OpCode == ws.OpBinary && c.kind.o.NoBinary {
			return &fault{CodeUnsupported, "binary messages are not accepted"}
		}
		m.op = h.OpCode
		m.payload = borrow()
	}
	have := len(*m.payload)
	if h.Length > c.readLimit.Load()-int64(have) || m.skipped > 0 {
		return c.skip(m, h)
	}
	grown := append(*m.payload, make([]byte, h.Length)...)
	*m.payload = grown
	part := grown[have:]
	if _, err := io.ReadFull((*input)(c), part); err != nil {
		return err
	}
	ws.Cipher(part, h.Mask, 0)
	return nil
}

// skip discards a message that is too long, if the handler wants that; else the
// socket ends.
func (c *Conn) skip(m *message, h ws.Header) error {
	m.skipped += max(h.Length, 1)
	if _, ok := c.handler.(Lenient); !ok || m.skipped > maxSkipped {
		return &fault{CodeTooBig, "message is too long"}
	}
	_, err := io.CopyN(io.Discard, (*input)(c), h.Length)
	return err
}

func (c *Conn) deliver(m *message) error {
	defer m.giveBack()
	c.raw.SetReadDeadline(time.Time{})
	if m.skipped > 0 {
		c.handler.(Lenient).TooLong(c)
		return nil
	}
	text := m.op == ws.OpText
	if text && !utf8.Valid(*m.payload) {
		return &fault{CodeInvalid, "text is not UTF-8"}
	}
	c.in.messages.Add(1)
	c.in.bytes.Add(int64(len(*m.payload)))
	if c.ctx.Err() == nil {
		c.handler.Message(c, text, *m.payload)
	}
	return nil
}

// control answers a control frame. It returns an error when the socket ends.
func (c *Conn) control(h ws.Header, fragmented bool) error {
	var buf [ws.MaxControlFramePayloadSize]byte
	payload := buf[:h.Length]
	if _, err := io.ReadFull((*input)(c), payload); err != nil {
		return err
	}
	if !fragmented { // else the message's own deadline goes on
		c.raw.SetReadDeadline(time.Time{})
	}
	ws.Cipher(payload, h.Mask, 0)
	switch h.OpCode {
	case ws.OpPing:
		if c.enqueue(makeFrame(ws.OpPong, nil, payload), false) == ErrSlow {
			return ErrSlow
		}
	case ws.OpPong:
		c.missed.Store(0)
	case ws.OpClose:
		return c.peerClosed(payload)
	}
	return nil
}

// peerClosed answers the peer's close frame with its own code, or with 1002
// when there is something wrong with it.
func (c *Conn) peerClosed(payload []byte) error {
	if len(payload) == 0 {
		c.answerClose(0, "")
		return &CloseError{Peer: true}
	}
	if len(payload) == 1 {
		return protocolFault("close frame of one byte")
	}
	code, reason := ws.StatusCode(binary.BigEndian.Uint16(payload)), string(payload[2:])
	if !utf8.ValidString(reason) {
		return &fault{CodeInvalid, "reason is not UTF-8"}
	}
	if err := checkCode(code); err != nil {
		return protocolFault(err.Error())
	}
	c.answerClose(uint16(code), reason)
	return &CloseError{Code: uint16(code), Reason: reason, Peer: true}
}

// checkCode holds RFC 6455, 7.4, and takes the codes registered since: 1012 to
// 1014.
func checkCode(code ws.StatusCode) error {
	if code >= 1012 && code <= 1014 {
		return nil
	}
	if code >= 5000 {
		return ws.ErrProtocolStatusCodeUnknown
	}
	return ws.CheckCloseFrameData(code, "")
}

// answerClose echoes the code behind what is queued, unless the closing
// handshake was ours, and waits until all of it is written.
func (c *Conn) answerClose(code uint16, reason string) {
	c.mu.Lock()
	ours := c.closing
	if !ours {
		c.closing = true
		c.why = &CloseError{Code: code, Reason: reason, Peer: true}
		c.push(closeFrame(code, ""))
		c.last = true
	}
	c.mu.Unlock()
	if !ours {
		c.linger(c.kind.o.WriteTimeout)
	}
}

// linger reads on until the connection is closed or the time is over: closing
// one with unread bytes resets it, and the peer might never see what was sent.
func (c *Conn) linger(d time.Duration) {
	c.raw.SetReadDeadline(time.Now().Add(d))
	io.Copy(io.Discard, c.raw)
}

// input is a socket as its reader goroutine reads it: the early bytes first.
type input Conn

func (c *input) Read(p []byte) (int, error) {
	if len(c.early) > 0 {
		n := copy(p, c.early)
		if c.early = c.early[n:]; len(c.early) == 0 {
			c.early = nil
		}
		return n, nil
	}
	return c.raw.Read(p)
}

// prefixed gives back the bytes that were read to wait for a frame.
type prefixed struct {
	first []byte
	rest  io.Reader
}

func (p *prefixed) Read(b []byte) (int, error) {
	if len(p.first) > 0 {
		n := copy(b, p.first)
		p.first = p.first[n:]
		return n, nil
	}
	return p.rest.Read(b)
}

// Buffers of up to this size go back to the pool.
const keepBuffer = 64 << 10

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 1<<10); return &b }}

func borrow() *[]byte { return buffers.Get().(*[]byte) }

func giveBack(b *[]byte) {
	if cap(*b) <= keepBuffer {
		*b = (*b)[:0]
		buffers.Put(b)
	}
}

func (m *message) giveBack() {
	m.skipped = 0
	if m.payload != nil {
		giveBack(m.payload)
		m.payload = nil
	}
}
