package relay

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"sync"
	"time"
)

// pingPayload marks the gate's own pings. A pong with it goes no further.
var pingPayload = []byte("gatehouse")

const chunkSize = 32 << 10

var (
	readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 4<<10) }}
	chunks  = sync.Pool{New: func() any { return new([chunkSize]byte) }}

	// errBye is the regular end of a pump: its side has said goodbye.
	errBye = errors.New("close frame")
)

// Read reads what came with the handshake, then from the connection.
func (s *side) Read(p []byte) (int, error) {
	if len(s.early) > 0 {
		n := copy(p, s.early)
		if s.early = s.early[n:]; len(s.early) == 0 {
			s.early = nil
		}
		return n, nil
	}
	return s.conn.Read(p)
}

// pump passes frames from one side to the other until one of them ends. While
// nothing comes it holds no buffer.
func (r *Relay) pump(from, to *side, count func(int)) error {
	for {
		if _, err := io.ReadFull(from, from.first[:]); err != nil {
			return err
		}
		in := readers.Get().(*bufio.Reader)
		in.Reset(from)
		err := r.burst(from, to, in, count)
		in.Reset(nil)
		readers.Put(in)
		if err != nil {
			return err
		}
	}
}

// burst passes the frame that has begun, and those that came along with it.
func (r *Relay) burst(from, to *side, in *bufio.Reader, count func(int)) error {
	for {
		from.heard.Store(true)
		if err := r.frame(from, to, in, count); err != nil {
			return err
		}
		if from.deadline {
			from.deadline = false
			from.conn.SetReadDeadline(time.Time{})
			if r.ended() { // which has set one of its own
				return errGone
			}
		}
		if in.Buffered() < len(from.first) {
			if in.Buffered() == 0 {
				return nil
			}
			r.patience(from)
		}
		if _, err := io.ReadFull(in, from.first[:]); err != nil {
			return err
		}
	}
}

// patience limits the wait for the rest of a frame.
func (r *Relay) patience(from *side) {
	from.deadline = true
	from.conn.SetReadDeadline(time.Now().Add(r.o.FrameTimeout))
	if r.ended() {
		from.conn.SetReadDeadline(past)
	}
}

func (r *Relay) frame(from, to *side, in *bufio.Reader, count func(int)) error {
	if in.Buffered() < 12 {
		r.patience(from)
	}
	h, err := readHeader(from.first, in, from.masked, from.deflate)
	if err != nil {
		return err
	}
	if err := from.order(&h, r.o.MaxMessage); err != nil {
		return err
	}
	if r.ctx.Err() != nil {
		return errGone
	}
	if r.hooks.Pass != nil {
		if err := r.hooks.Pass(r.ctx); err != nil {
			return err
		}
	}
	if h.control() {
		return r.control(from, to, &h, in)
	}
	if err := r.data(from, to, &h, in); err != nil {
		return err
	}
	if count != nil && h.fin {
		count(int(from.size))
	}
	if h.fin {
		from.size = 0
	}
	return nil
}

// order keeps fragments in their order (RFC 6455, section 5.4) and messages
// within their limit.
func (s *side) order(h *header, limit int64) error {
	if h.control() {
		return nil
	}
	if s.midway != (h.op == opContinuation) {
		return protocolFault("fragments out of order")
	}
	s.midway = !h.fin
	if h.length > limit-s.size { // without overflow
		return &fault{TooBig, "message too big"}
	}
	s.size += h.length
	return nil
}

// control passes a control frame on, except for the answer to the gate's own
// ping.
func (r *Relay) control(from, to *side, h *header, in *bufio.Reader) error {
	var frame [14 + maxControl]byte
	n := copy(frame[:], h.raw[:h.size])
	payload := frame[n : n+int(h.length)]
	if in.Buffered() < len(payload) {
		r.patience(from)
	}
	if _, err := io.ReadFull(in, payload); err != nil {
		return err
	}
	if h.op == opPong {
		plain := append([]byte(nil), payload...)
		unmask(plain, h.mask) // of zeros where there is none
		if bytes.Equal(plain, pingPayload) {
			return nil
		}
	}
	if h.op == opClose && h.length == 1 {
		return protocolFault("bad close frame")
	}
	to.write.Lock()
	defer to.write.Unlock()
	if to.saidBye {
		return errBye
	}
	if err := to.send(frame[:n+len(payload)], r.o.WriteTimeout); err != nil {
		return err
	}
	if h.op == opClose {
		to.saidBye = true
		return errBye
	}
	return nil
}

// data passes a data frame on in pieces. The other side's writers wait until
// it is whole.
func (r *Relay) data(from, to *side, h *header, in *bufio.Reader) error {
	chunk := chunks.Get().(*[chunkSize]byte)
	defer chunks.Put(chunk)
	to.write.Lock()
	defer to.write.Unlock()
	if to.saidBye {
		return errBye
	}
	n := copy(chunk[:], h.raw[:h.size])
	for left := h.length; ; n = 0 {
		want := int(min(left, int64(len(chunk)-n)))
		if in.Buffered() < want {
			r.patience(from)
		}
		if _, err := io.ReadFull(in, chunk[n:n+want]); err != nil {
			to.spoilt = to.spoilt || left != h.length
			return err
		}
		if err := to.send(chunk[:n+want], r.o.WriteTimeout); err != nil {
			return err
		}
		if left -= int64(want); left == 0 {
			return nil
		}
	}
}

// send writes within the timeout. Under write.
func (s *side) send(b []byte, timeout time.Duration) error {
	if s.spoilt {
		return errGone
	}
	s.conn.SetWriteDeadline(time.Now().Add(timeout))
	if n, err := s.conn.Write(b); err != nil {
		s.spoilt = n > 0 || !errors.Is(err, os.ErrDeadlineExceeded)
		return &writeError{err}
	}
	return nil
}

// writeError is trouble with the side that is written to.
type writeError struct{ error }

func (e *writeError) Unwrap() error { return e.error }
