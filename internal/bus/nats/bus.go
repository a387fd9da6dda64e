package nats

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"gatehouse.dev/internal/bus"
	"gatehouse.dev/internal/bus/queue"
)

// Bus implements bus.Bus. Make it with New. All methods are safe for concurrent
// use. Of the locks, sending is taken before mu, and mu before those of topics,
// queues and the client library.
type Bus struct {
	o      Options
	conn   *natsgo.Conn
	out    *outbox
	counts counts
	joins  chan struct{} // closed by the first connection
	first  sync.Once

	sending sync.Mutex // held while a message is between outbox and connection

	mu         sync.RWMutex
	closed     bool
	alone      bool // there is no connection
	generation int  // grows whenever alone changes
	since      time.Time
	reason     string // why we are alone
	maxPayload int
	topics     map[string]*topic

	all sync.WaitGroup
}

// topic is one subject that has subscribers here.
type topic struct {
	subject string
	queues  []*queue.Queue
	sub     *natsgo.Subscription // nil while alone
}

// counts are for metrics.
type counts struct {
	lost, alone, refused, reconnects atomic.Int64
}

var _ bus.Bus = (*Bus)(nil)

// New makes a bus and tries to reach NATS. When that fails, the bus works alone
// and goes on trying; an error means that the options are wrong.
func New(o Options) (*Bus, error) {
	o = o.withDefaults()
	settings, err := o.connection()
	if err != nil {
		return nil, err
	}
	b := &Bus{
		o: o, out: newOutbox(), topics: make(map[string]*topic), joins: make(chan struct{}),
		alone: true, since: o.Now(), reason: "not connected yet",
	}
	settings = append(settings,
		natsgo.ConnectHandler(func(*natsgo.Conn) { b.join() }),
		natsgo.ReconnectHandler(func(*natsgo.Conn) { b.counts.reconnects.Add(1); b.join() }),
		natsgo.DisconnectErrHandler(func(_ *natsgo.Conn, err error) { b.part(err) }),
		natsgo.ReconnectErrHandler(func(_ *natsgo.Conn, err error) { b.stillAway(err) }),
		natsgo.ErrorHandler(b.complain),
	)
	b.sending.Lock() // until conn is set
	b.conn, err = natsgo.Connect(strings.Join(o.URLs, ","), settings...)
	b.sending.Unlock()
	if err != nil {
		return nil, fmt.Errorf("prepare the connection to the bus: %w", err)
	}
	b.all.Go(b.send)
	b.settle()
	return b, nil
}

// settle waits for a connection that was made at once to be in use.
func (b *Bus) settle() {
	if !b.conn.IsConnected() {
		b.o.Log.Warn("the bus cannot be reached; this node goes on alone until it can", "error", b.conn.LastError())
		return
	}
	select {
	case <-b.joins:
	case <-time.After(connectTime):
	}
}

// Publish implements bus.Bus.
func (b *Bus) Publish(ctx context.Context, subject string, data []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := bus.CheckSubject(subject); err != nil {
		return err
	}
	if len(data) > bus.MaxData {
		return bus.ErrTooLarge
	}
	m := bus.Message{Subject: subject, Data: bytes.Clone(data)}
	room, err := b.hand(m)
	if room == nil {
		return err
	}
	patience := time.NewTimer(b.o.Patience)
	defer patience.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-patience.C:
			b.counts.refused.Add(1)
			return bus.ErrBusy
		case <-room:
		}
		if room, err = b.hand(m); room == nil {
			return err
		}
	}
}

// hand puts a message into the outbox, or, while the bus is away, before the
// subscribers of this node. A channel means that there was no room: see outbox.
func (b *Bus) hand(m bus.Message) (room <-chan struct{}, err error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	switch {
	case b.closed:
		return nil, bus.ErrClosed
	case b.alone:
		b.deliverAlone(m)
		return nil, nil
	case len(m.Data) > b.maxPayload:
		return nil, fmt.Errorf("%w: NATS takes no more than %d (its max_payload)", bus.ErrTooLarge, b.maxPayload)
	}
	return b.out.put(m), nil
}

// deliverAlone hands m to this node's subscribers. b.mu is held, to read or to
// write.
func (b *Bus) deliverAlone(m bus.Message) {
	b.counts.alone.Add(1)
	if t := b.topics[m.Subject]; t != nil {
		t.deliver(m)
	}
}

func (t *topic) deliver(m bus.Message) {
	for _, q := range t.queues {
		q.Put(m)
	}
}

// Subscribe implements bus.Bus. On a closed bus fn is never called.
func (b *Bus) Subscribe(subject string, fn func(bus.Message)) (unsubscribe func()) {
	if err := bus.CheckSubject(subject); err != nil {
		panic(err)
	}
	q := queue.New(b.o.Queue, &b.counts.lost)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return func() {}
	}
	t := b.topics[subject]
	if t == nil {
		t = &topic{subject: subject}
		b.topics[subject] = t
		if !b.alone {
			b.listen(t)
		}
	}
	t.queues = append(t.queues, q)
	b.all.Go(func() { q.Run(fn) })
	return func() {
		q.Stop()
		b.remove(t, q)
	}
}

func (b *Bus) remove(t *topic, q *queue.Queue) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t.queues = slices.DeleteFunc(t.queues, func(o *queue.Queue) bool { return o == q })
	if len(t.queues) == 0 && b.topics[t.subject] == t {
		delete(b.topics, t.subject)
		t.silence()
	}
}

// Close ends all subscriptions, sends what is on its way if that takes no longer
// than a moment, and waits for the calls that are running. It must not be called
// from a subscriber.
func (b *Bus) Close() {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return
	}
	b.closed = true
	for _, t := range b.topics {
		for _, q := range t.queues {
			q.Stop()
		}
	}
	b.mu.Unlock()
	b.out.close()
	b.all.Wait()
	if b.conn.IsConnected() {
		_ = b.conn.FlushTimeout(b.o.Patience)
	}
	b.conn.Close()
}
