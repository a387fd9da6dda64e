package socket

import (
	"fmt"
	"net"
	"time"
)

// Send queues a frame. It never blocks. When the queue is full the socket is
// cut and ErrSlow comes back.
func (c *Conn) Send(f Frame) error {
	err := c.enqueue(f, true)
	if err == ErrSlow {
		c.abandon(ErrSlow)
		c.giveUp()
	}
	return err
}

func (c *Conn) enqueue(f Frame, count bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return ErrClosed
	}
	o := &c.kind.o
	if len(c.queue) >= o.QueueFrames || c.waiting+f.Len() > o.QueueBytes && c.waiting > 0 {
		return ErrSlow
	}
	if count {
		c.out.messages.Add(1)
		c.out.bytes.Add(int64(f.Len()))
	}
	c.push(f)
	return nil
}

// push adds to the queue and sees to it that a writer lives. Call with mu held.
func (c *Conn) push(f Frame) {
	c.queue = append(c.queue, f)
	c.waiting += f.Len()
	if !c.writing {
		c.writing = true
		c.kind.o.Wheel.writers.do((*writing)(c))
	}
}

// Close sends a close frame with that code and reason and ends the socket: at
// once for whoever sends and for the handler, which gets no more messages; on
// the wire when the peer answers or CloseTimeout is over. What was queued and
// not yet being written is dropped, so that a close overtakes data. Only the
// first close counts. A code of 0 sends a frame without one.
func (c *Conn) Close(code uint16, reason string) {
	why := &CloseError{Code: code, Reason: reason}
	c.mu.Lock()
	if c.closing {
		c.mu.Unlock()
		return
	}
	c.closing = true
	c.why = why
	c.queue = nil
	c.push(closeFrame(code, reason))
	c.mu.Unlock()
	c.cancel(why)
	c.kind.o.Wheel.Set(&c.timer, c.kind.o.CloseTimeout, c.giveUp)
}

// giveUp closes the connection soon. It does not wait for that.
func (c *Conn) giveUp() {
	c.kind.o.Wheel.enders.do((*giving)(c))
}

// CloseError is why a socket ended when one side closed it.
type CloseError struct {
	Code   uint16 // 0: a close frame without a code
	Reason string
	Peer   bool // the peer closed it
}

func (e *CloseError) Error() string {
	who := "closed"
	if e.Peer {
		who = "closed by the peer"
	}
	return fmt.Sprintf("%s with %d %q", who, e.Code, e.Reason)
}

// write empties the queue and ends. There is one at a time.
func (c *Conn) write() {
	for {
		c.mu.Lock()
		batch := c.queue
		c.queue = nil
		if len(batch) == 0 {
			c.writing = false
			last := c.last
			c.mu.Unlock()
			if last {
				c.raw.Close()
			}
			return
		}
		c.mu.Unlock()

		size := 0
		for _, f := range batch {
			size += f.Len()
		}
		if err := c.writeBatch(batch, size); err != nil {
			c.drop(fmt.Errorf("write to the peer: %w", err))
			return
		}
		c.mu.Lock()
		c.waiting -= size
		c.mu.Unlock()
	}
}

// joined is up to what size frames are copied together: one system call, and
// over TLS one record, is cheaper than the copy.
const joined = 16 << 10

func (c *Conn) writeBatch(batch []Frame, size int) error {
	if err := c.raw.SetWriteDeadline(time.Now().Add(c.kind.o.WriteTimeout)); err != nil {
		return err
	}
	if size <= joined {
		b := borrow()
		defer giveBack(b)
		for _, f := range batch {
			*b = append(append(*b, f.head...), f.body...)
		}
		_, err := c.raw.Write(*b)
		return err
	}
	parts := make(net.Buffers, 0, 2*len(batch))
	for _, f := range batch {
		parts = append(parts, f.head, f.body)
	}
	_, err := parts.WriteTo(c.raw)
	return err
}
