package nats_test

import (
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"gatehouse.dev/internal/bus"
	"gatehouse.dev/internal/bus/bustest"
	"gatehouse.dev/internal/bus/nats"
	"gatehouse.dev/internal/bus/nats/natstest"
)

func open(t *testing.T, o nats.Options) *nats.Bus {
	t.Helper()
	b, err := nats.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func TestBus(t *testing.T) {
	t.Parallel()
	bustest.Run(t, func(t *testing.T) bus.Bus {
		return open(t, nats.Options{URLs: []string{natstest.Start(t).URL()}, Queue: bustest.Queue})
	})
}

// TestBusAlone: without NATS a node has the same bus, for itself.
func TestBusAlone(t *testing.T) {
	t.Parallel()
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	bustest.Run(t, func(t *testing.T) bus.Bus {
		b := open(t, nats.Options{URLs: []string{"nats://" + nobody.Addr().String()}, Queue: bustest.Queue})
		if b.Check() == nil {
			t.Error("a bus without NATS says it is there")
		}
		return b
	})
}

// TestSubscribersOfAnotherNode: two connections share subjects, and only below
// their own prefix.
func TestSubscribersOfAnotherNode(t *testing.T) {
	t.Parallel()
	at := []string{natstest.Start(t).URL()}
	a, b := open(t, nats.Options{URLs: at}), open(t, nats.Options{URLs: at})
	other := open(t, nats.Options{URLs: at, Prefix: "another"})
	got, foreign := listen(t, b, "x"), listen(t, other, "x")
	await(t, "b listens", func() bool {
		publish(t, a, "x", "hello")
		return len(got) > 0
	})
	if m := <-got; string(m.Data) != "hello" || m.Subject != "x" || m.Lost != 0 {
		t.Errorf("got %q on %q with %d lost", m.Data, m.Subject, m.Lost)
	}
	if len(foreign) > 0 {
		t.Error("another installation got the message, too")
	}
}

func listen(t *testing.T, b *nats.Bus, subject string) <-chan bus.Message {
	got := make(chan bus.Message, 100_000)
	t.Cleanup(b.Subscribe(subject, func(m bus.Message) { got <- m }))
	return got
}

func publish(t *testing.T, b *nats.Bus, subject, data string) {
	t.Helper()
	if err := b.Publish(t.Context(), subject, []byte(data)); err != nil {
		t.Errorf("publish %q: %v", data, err)
	}
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// TestOutage: while NATS is away each node goes on alone; when it is back they
// are together again, and know that they missed something.
func TestOutage(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t)
	a, b := open(t, nats.Options{URLs: []string{s.URL()}}), open(t, nats.Options{URLs: []string{s.URL()}})
	onA, onB := listen(t, a, "x"), listen(t, b, "x")
	await(t, "b listens", func() bool { publish(t, a, "x", "before"); return len(onB) > 0 })

	s.Down()
	await(t, "both know", func() bool { return a.Check() != nil && b.Check() != nil })
	empty(onA)
	empty(onB)
	publish(t, a, "x", "alone")
	if m := next(t, onA); string(m.Data) != "alone" || m.Lost != 0 {
		t.Errorf("on its own node: %q, %d lost", m.Data, m.Lost)
	}
	if a.Alone() != 1 {
		t.Errorf("%d messages counted as seen by this node only, want 1", a.Alone())
	}

	s.Up(t)
	await(t, "both are back", func() bool { return a.Check() == nil && b.Check() == nil && s.Clients() == 2 })
	await(t, "b listens again", func() bool { publish(t, a, "x", "after"); return len(onB) > 0 })
	for name, got := range map[string]<-chan bus.Message{"a": onA, "b": onB} {
		if m := next(t, got); string(m.Data) != "after" || m.Lost < 1 {
			t.Errorf("%s after the outage: %q, %d lost; want to be told that some are missing", name, m.Data, m.Lost)
		}
	}
	if a.Reconnects() != 1 || a.Lost() < 1 {
		t.Errorf("%d reconnects, %d lost", a.Reconnects(), a.Lost())
	}
}

func next(t *testing.T, from <-chan bus.Message) bus.Message {
	t.Helper()
	select {
	case m := <-from:
		return m
	case <-time.After(10 * time.Second):
		t.Fatal("no message")
		return bus.Message{}
	}
}

func empty(c <-chan bus.Message) {
	for len(c) > 0 {
		<-c
	}
}

// TestOrderAcrossOutages: whatever happens to the connection, nobody sees the
// messages of one publisher in another order, or twice.
func TestOrderAcrossOutages(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t)
	a, b := open(t, nats.Options{URLs: []string{s.URL()}}), open(t, nats.Options{URLs: []string{s.URL()}})
	var seenA, seenB [2]atomic.Int64
	inOrder := func(name string, seen *[2]atomic.Int64) func(bus.Message) {
		return func(m bus.Message) {
			var n int64
			fmt.Sscan(string(m.Data), &n)
			if before := seen[0].Swap(n); n <= before {
				t.Errorf("%s: %d after %d", name, n, before)
			}
			seen[1].Add(1)
		}
	}
	t.Cleanup(a.Subscribe("x", inOrder("a", &seenA)))
	t.Cleanup(b.Subscribe("x", inOrder("b", &seenB)))

	stop, done := make(chan struct{}), make(chan struct{})
	n := 0
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			n++
			began := time.Now()
			if err := a.Publish(t.Context(), "x", fmt.Append(nil, n)); err != nil {
				t.Errorf("publish: %v", err)
			}
			if d := time.Since(began); d > 2*time.Second {
				t.Errorf("publishing took %v", d)
			}
			time.Sleep(50 * time.Microsecond)
		}
	}()
	for range 3 {
		time.Sleep(100 * time.Millisecond)
		s.Down()
		await(t, "a knows", func() bool { return a.Check() != nil })
		time.Sleep(50 * time.Millisecond)
		s.Up(t)
		await(t, "both are back", func() bool { return a.Check() == nil && b.Check() == nil })
	}
	time.Sleep(100 * time.Millisecond)
	close(stop)
	<-done
	await(t, "the last message", func() bool { return seenA[0].Load() == int64(n) && seenB[0].Load() == int64(n) })
	t.Logf("of %d messages a saw %d and b %d; a sent %d alone", n, seenA[1].Load(), seenB[1].Load(), a.Alone())
	if a.Alone() == 0 || seenB[1].Load() == int64(n) {
		t.Error("nothing happened to the connection, so nothing was tested")
	}
}

// TestConnectsLater: a node that starts before NATS joins it when it comes.
func TestConnectsLater(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t)
	s.Down()
	b := open(t, nats.Options{URLs: []string{s.URL()}})
	got := listen(t, b, "x")
	if b.Check() == nil {
		t.Error("there is no NATS, but the bus says it is there")
	}
	s.Up(t)
	await(t, "connected", func() bool { return b.Check() == nil })
	publish(t, b, "x", "one")
	next(t, got)
	if b.Alone() != 0 {
		t.Error("the message did not go through NATS")
	}
}

// TestSmallMaxPayload: what NATS would not take is refused where it is published.
func TestSmallMaxPayload(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, func(o *server.Options) { o.MaxPayload = 1000 })
	b := open(t, nats.Options{URLs: []string{s.URL()}})
	if err := b.Publish(t.Context(), "x", make([]byte, 1001)); !errors.Is(err, bus.ErrTooLarge) {
		t.Errorf("publish: %v, want ErrTooLarge", err)
	}
	if err := b.Publish(t.Context(), "x", make([]byte, 1000)); err != nil {
		t.Errorf("publish: %v", err)
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t)
	a, b := open(t, nats.Options{URLs: []string{s.URL()}}), open(t, nats.Options{URLs: []string{s.URL()}})
	got := listen(t, b, "x")
	await(t, "b listens", func() bool { publish(t, a, "x", ""); return len(got) > 0 })
	publish(t, a, "x", "last words")
	a.Close()
	a.Close()
	await(t, "what was published before closing", func() bool { return string(next(t, got).Data) == "last words" })
	if err := a.Publish(t.Context(), "x", nil); !errors.Is(err, bus.ErrClosed) {
		t.Errorf("publish after close: %v, want ErrClosed", err)
	}
	a.Subscribe("x", func(bus.Message) { t.Error("called on a closed bus") })()
	await(t, "the connection ends", func() bool { return s.Clients() == 1 })
}
