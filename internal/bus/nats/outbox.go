package nats

import (
	"sync"

	"gatehouse.dev/internal/bus"
)

// What the outbox may hold. One message is always taken, however large it is.
const (
	outboxMessages = 4096
	outboxBytes    = 16 << 20
)

// outbox holds messages on their way to the connection, so that nobody who
// publishes waits for the network.
type outbox struct {
	mu     sync.Mutex
	items  []bus.Message
	bytes  int
	closed bool
	wake   chan struct{} // holds one token while there is something to look at
	room   chan struct{} // closed and replaced when there is room again
}

func newOutbox() *outbox {
	return &outbox{wake: make(chan struct{}, 1), room: make(chan struct{})}
}

// put takes m. When there is no room it returns a channel that is closed once
// there may be some.
func (o *outbox) put(m bus.Message) (room <-chan struct{}) {
	o.mu.Lock()
	if n := len(o.items); n >= outboxMessages || n > 0 && o.bytes+len(m.Data) > outboxBytes {
		defer o.mu.Unlock()
		return o.room
	}
	o.items = append(o.items, m)
	o.bytes += len(m.Data)
	o.mu.Unlock()
	o.rouse()
	return nil
}

// take removes the oldest message. more is false once the outbox is closed and
// empty.
func (o *outbox) take() (m bus.Message, ok, more bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.items) == 0 {
		return bus.Message{}, false, !o.closed
	}
	m = o.items[0]
	o.items[0] = bus.Message{}
	o.items = o.items[1:]
	o.bytes -= len(m.Data)
	o.free()
	return m, true, true
}

// empty removes everything.
func (o *outbox) empty() []bus.Message {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := o.items
	o.items, o.bytes = nil, 0
	o.free()
	return all
}

func (o *outbox) free() {
	close(o.room)
	o.room = make(chan struct{})
}

func (o *outbox) close() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.rouse()
}

func (o *outbox) rouse() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}
