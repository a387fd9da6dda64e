package nats

import (
	"errors"
	"fmt"

	natsgo "github.com/nats-io/nats.go"

	"gatehouse.dev/internal/bus"
)

// send empties the outbox into the connection until the outbox is closed.
func (b *Bus) send() {
	for {
		more, idle := b.sendOne()
		if !more {
			return
		}
		if idle {
			<-b.out.wake
		}
	}
}

func (b *Bus) sendOne() (more, idle bool) {
	// join waits for this lock, so that no message is between two connections.
	b.sending.Lock()
	defer b.sending.Unlock()
	m, ok, more := b.out.take()
	if !ok {
		return more, true
	}
	err := b.conn.Publish(b.o.Prefix+"."+m.Subject, m.Data)
	switch {
	case err == nil:
	case errors.Is(err, natsgo.ErrMaxPayload): // the server that we have now takes less
		b.counts.refused.Add(1)
		b.o.Log.Warn("the bus does not take a message of this size", "bytes", len(m.Data), "max_payload", b.conn.MaxPayload())
	default:
		b.partWith(m, err)
	}
	return true, false
}

// partWith begins being alone with a message that the connection did not take.
func (b *Bus) partWith(m bus.Message, err error) {
	b.mu.Lock()
	switch {
	case b.closed: // nothing more to try
		b.counts.refused.Add(int64(1 + len(b.out.empty())))
	case b.alone: // later ones may have been delivered already, which this must not follow
		b.counts.refused.Add(1)
	default:
		b.goAlone(err, m)
	}
	b.mu.Unlock()
	if b.conn.IsConnected() { // it took nothing for too long, and does not know yet
		_ = b.conn.ForceReconnect()
	}
}

// part begins being alone.
func (b *Bus) part(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.alone && !b.closed {
		b.goAlone(err)
	}
}

// goAlone hands what was on its way to the subscribers of this node, in its order
// and before anything new. b.mu is held.
func (b *Bus) goAlone(err error, first ...bus.Message) {
	if err == nil {
		err = errors.New("the connection ended")
	}
	b.alone, b.since, b.reason = true, b.o.Now(), err.Error()
	b.generation++
	for _, t := range b.topics {
		t.silence()
	}
	for _, m := range append(first, b.out.empty()...) {
		b.deliverAlone(m)
	}
	b.o.Log.Warn("the bus is away; this node goes on alone", "error", err)
}

// join puts a new connection to use.
func (b *Bus) join() {
	b.sending.Lock()
	defer b.sending.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	if !b.alone { // an outage so short that nobody told us
		b.goAlone(nil)
	}
	b.alone, b.since, b.reason = false, b.o.Now(), ""
	b.generation++
	b.maxPayload = int(min(b.conn.MaxPayload(), bus.MaxData))
	for _, t := range b.topics {
		for _, q := range t.queues {
			q.Miss(1) // nobody can count what others said meanwhile
		}
		b.listen(t)
	}
	b.first.Do(func() { close(b.joins) })
	b.o.Log.Info("connected to the bus", "server", b.conn.ConnectedServerName(), "url", b.conn.ConnectedUrlRedacted())
	if b.maxPayload < bus.MaxData {
		b.o.Log.Warn("the bus takes only small messages; raise max_payload of NATS", "max_payload", b.maxPayload, "want", bus.MaxData)
	}
}

// listen subscribes at NATS for this generation. b.mu is held.
func (b *Bus) listen(t *topic) {
	generation, dropped := b.generation, 0
	sub, err := b.conn.Subscribe(b.o.Prefix+"."+t.subject, func(m *natsgo.Msg) {
		n, _ := m.Sub.Dropped() // by the client library, which had too much to do
		b.receive(t, generation, n-dropped, m.Data)
		dropped = max(n, dropped)
	})
	if err != nil {
		b.o.Log.Error("cannot listen on the bus", "subject", t.subject, "error", err)
		return
	}
	t.sub = sub
}

func (b *Bus) receive(t *topic, generation, dropped int, data []byte) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.generation != generation || b.closed {
		return
	}
	for _, q := range t.queues {
		if dropped > 0 {
			q.Miss(dropped)
		}
	}
	t.deliver(bus.Message{Subject: t.subject, Data: data})
}

// silence ends the subscription at NATS, if there is one.
func (t *topic) silence() {
	if t.sub != nil {
		_ = t.sub.Unsubscribe() // fails only where it has ended already
		t.sub = nil
	}
}

// stillAway notes why a new connection did not come about, and logs each new
// reason once.
func (b *Bus) stillAway(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil || !b.alone || b.reason == err.Error() {
		return
	}
	b.reason = err.Error()
	b.o.Log.Warn("the bus cannot be reached", "error", err)
}

// complain takes what the client library has to say without being asked.
func (b *Bus) complain(_ *natsgo.Conn, sub *natsgo.Subscription, err error) {
	subject := ""
	if sub != nil {
		subject = sub.Subject
	}
	b.o.Log.Warn("trouble on the bus", "error", err, "subject", subject)
}

// Check returns nil while there is a connection.
func (b *Bus) Check() error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if !b.alone {
		return nil
	}
	return fmt.Errorf("away since %s: %s", b.since.UTC().Format("15:04:05"), b.reason)
}

// Lost is how many messages subscribers of this node missed, as far as that is
// known: an outage counts as one for each subscriber.
func (b *Bus) Lost() int64 { return b.counts.lost.Load() }

// Alone is how many messages reached this node only.
func (b *Bus) Alone() int64 { return b.counts.alone.Load() }

// Refused is how many messages were not taken, or given up on their way.
func (b *Bus) Refused() int64 { return b.counts.refused.Load() }

// Reconnects is how often a lost connection came back.
func (b *Bus) Reconnects() int64 { return b.counts.reconnects.Load() }
