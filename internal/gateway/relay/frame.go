package relay

import (
	"bufio"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
)

// Opcodes (RFC 6455, section 5.2).
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA
)

// maxControl bounds the payload of control frames (RFC 6455, section 5.5).
const maxControl = 125

// fault is a violation of the protocol by a peer, with the code that says so.
type fault struct {
	code   Code
	reason string
}

func (f *fault) Error() string { return fmt.Sprintf("%d %s", f.code, f.reason) }

func protocolFault(reason string) error { return &fault{ProtocolError, reason} }

// header is what frames a payload.
type header struct {
	raw    [14]byte // as it came
	size   int      // of raw
	op     byte
	fin    bool
	rsv    byte
	mask   [4]byte
	length int64
}

func (h *header) control() bool { return h.op&0x8 != 0 }

// readHeader reads the rest of a header whose first two bytes are there. What
// a side may send depends on which side it is: callers mask, backends do not.
func readHeader(first [2]byte, in *bufio.Reader, masked, deflate bool) (h header, err error) {
	h.raw[0], h.raw[1], h.size = first[0], first[1], 2
	h.fin, h.rsv, h.op = first[0]&0x80 != 0, first[0]&0x70, first[0]&0x0f
	if masked != (first[1]&0x80 != 0) {
		return h, protocolFault("wrong masking")
	}
	h.length = int64(first[1] & 0x7f)
	extra := 0
	switch h.length {
	case 126:
		extra = 2
	case 127:
		extra = 8
	}
	more := extra
	if masked {
		more += 4
	}
	if _, err := io.ReadFull(in, h.raw[2:2+more]); err != nil {
		return h, err
	}
	h.size += more
	switch extra {
	case 2:
		h.length = int64(binary.BigEndian.Uint16(h.raw[2:]))
	case 8:
		h.length = int64(binary.BigEndian.Uint64(h.raw[2:]))
	}
	if extra == 2 && h.length < 126 || extra == 8 && (h.length < 1<<16 || h.length < 0) {
		return h, protocolFault("wrong length")
	}
	copy(h.mask[:], h.raw[2+extra:2+more])
	return h, h.check(deflate)
}

func (h *header) check(deflate bool) error {
	switch h.op {
	case opText, opBinary:
		if h.rsv != 0 && !(deflate && h.rsv == 0x40) { // RSV1 marks a compressed message
			return protocolFault("reserved bit")
		}
		return nil
	case opContinuation:
		if h.rsv != 0 {
			return protocolFault("reserved bit")
		}
		return nil
	case opClose, opPing, opPong:
		if !h.fin || h.length > maxControl || h.rsv != 0 {
			return protocolFault("bad control frame")
		}
		return nil
	}
	return protocolFault("unknown opcode")
}

// control makes a frame of the gate's own, masked when it goes to a backend.
func control(op byte, payload []byte, masked bool) []byte {
	frame := make([]byte, 0, 2+4+len(payload))
	frame = append(frame, 0x80|op, byte(len(payload)))
	if !masked {
		return append(frame, payload...)
	}
	frame[1] |= 0x80
	var mask [4]byte
	rand.Read(mask[:])
	frame = append(frame, mask[:]...)
	start := len(frame)
	frame = append(frame, payload...)
	unmask(frame[start:], mask)
	return frame
}

// unmask applies a mask, which also takes it off.
func unmask(b []byte, mask [4]byte) {
	for i := range b {
		b[i] ^= mask[i&3]
	}
}

// closePayload is the payload of a close frame; a reason that is too long is
// cut.
func closePayload(code Code, reason string) []byte {
	reason = reason[:min(len(reason), maxControl-2)]
	return append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...)
}
