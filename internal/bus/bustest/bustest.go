// Package bustest is the suite that every bus passes. A bus's own test is
//
//	func TestBus(t *testing.T) { bustest.Run(t, newBus) }
package bustest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse.dev/internal/bus"
)

// Queue is how many messages a subscriber of the bus under test may be behind.
const Queue = 64

// patience is how long the suite waits for what must happen.
const patience = 10 * time.Second

// Run checks a bus. open makes a new one, with nothing on it, that ends with
// the test.
func Run(t *testing.T, open func(t *testing.T) bus.Bus) {
	for name, test := range map[string]func(*testing.T, bus.Bus){
		"InOrderToEverybody":     inOrder,
		"SubjectsApart":          subjectsApart,
		"DataIsCopied":           dataIsCopied,
		"SlowLosesOldest":        slowLosesOldest,
		"SlowDelaysNobody":       slowDelaysNobody,
		"Unsubscribe":            unsubscribe,
		"UnsubscribeFromWithin":  unsubscribeFromWithin,
		"OneCallAtATime":         oneCallAtATime,
		"Refusals":               refusals,
		"SubscribeToNonsense":    subscribeToNonsense,
		"PublishFromASubscriber": publishFromSubscriber,
		"Concurrent":             concurrent,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func publish(t *testing.T, b bus.Bus, subject, data string) {
	t.Helper()
	if err := b.Publish(t.Context(), subject, []byte(data)); err != nil {
		t.Errorf("publish %q: %v", data, err)
	}
}

// collect subscribes and returns a function that waits for the next message.
func collect(t *testing.T, b bus.Bus, subject string) (next func() bus.Message) {
	t.Helper()
	got := make(chan bus.Message, 10_000)
	t.Cleanup(b.Subscribe(subject, func(m bus.Message) { got <- m }))
	return func() bus.Message {
		t.Helper()
		select {
		case m := <-got:
			return m
		case <-time.After(patience):
			t.Fatalf("no message on %s", subject)
			return bus.Message{}
		}
	}
}

func inOrder(t *testing.T, b bus.Bus) {
	one, two := collect(t, b, "a.b"), collect(t, b, "a.b")
	for i := range Queue {
		publish(t, b, "a.b", fmt.Sprint(i))
	}
	for i := range Queue {
		for _, next := range []func() bus.Message{one, two} {
			if m := next(); string(m.Data) != fmt.Sprint(i) || m.Subject != "a.b" || m.Lost != 0 {
				t.Fatalf("message %d is %q on %q, %d lost", i, m.Data, m.Subject, m.Lost)
			}
		}
	}
}

func subjectsApart(t *testing.T, b bus.Bus) {
	next := collect(t, b, "a")
	publish(t, b, "b", "other")
	publish(t, b, "a.b", "below")
	publish(t, b, "A", "upper case")
	publish(t, b, "a", "mine")
	if m := next(); string(m.Data) != "mine" {
		t.Errorf("got %q, want what was published on the subject only", m.Data)
	}
}

func dataIsCopied(t *testing.T, b bus.Bus) {
	next := collect(t, b, "a")
	data := []byte("first")
	if err := b.Publish(t.Context(), "a", data); err != nil {
		t.Fatal(err)
	}
	copy(data, "XXXXX")
	if m := next(); string(m.Data) != "first" {
		t.Errorf("got %q: the publisher's later change shows", m.Data)
	}
}

// blocked subscribes a function that does not return from its first message
// until release is called.
func blocked(t *testing.T, b bus.Bus, subject string, then func(bus.Message)) (release func()) {
	t.Helper()
	gate, busy := make(chan struct{}), make(chan struct{})
	var begin sync.Once
	stop := b.Subscribe(subject, func(m bus.Message) {
		begin.Do(func() { close(busy) })
		<-gate
		then(m)
	})
	release = sync.OnceFunc(func() { close(gate) })
	t.Cleanup(stop)
	t.Cleanup(release)
	publish(t, b, subject, "begin")
	select {
	case <-busy:
	case <-time.After(patience):
		t.Fatal("the first message did not arrive")
	}
	return release
}

func slowLosesOldest(t *testing.T, b bus.Bus) {
	got := make(chan bus.Message, 10*Queue)
	release := blocked(t, b, "a", func(m bus.Message) { got <- m })
	const sent = 5 * Queue
	for i := range sent {
		publish(t, b, "a", fmt.Sprint(i))
	}
	release()

	seen, lost, last := 0, 0, ""
	for last != fmt.Sprint(sent-1) {
		select {
		case m := <-got:
			if last = string(m.Data); last != "begin" {
				seen, lost = seen+1, lost+m.Lost
			}
		case <-time.After(patience):
			t.Fatalf("the newest message never came; the last was %q", last)
		}
	}
	if seen+lost != sent || seen < Queue/2 || lost == 0 {
		t.Errorf("%d seen and %d lost of %d", seen, lost, sent)
	}
}

func slowDelaysNobody(t *testing.T, b bus.Bus) {
	blocked(t, b, "a", func(bus.Message) {})
	next := collect(t, b, "a")
	for i := range 20 * Queue {
		publish(t, b, "a", fmt.Sprint(i))
		if m := next(); string(m.Data) != fmt.Sprint(i) {
			t.Fatalf("got %q, want %d", m.Data, i)
		}
	}
}

func unsubscribe(t *testing.T, b bus.Bus) {
	var calls atomic.Int32
	stop := b.Subscribe("a", func(bus.Message) { calls.Add(1) })
	next := collect(t, b, "a")
	publish(t, b, "a", "one")
	next()
	for deadline := time.Now().Add(patience); calls.Load() == 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	stop()
	stop()
	publish(t, b, "a", "two")
	publish(t, b, "a", "three")
	next()
	next()
	time.Sleep(20 * time.Millisecond) // nothing to wait for: it must not happen
	if n := calls.Load(); n != 1 {
		t.Errorf("%d calls, want only the one before unsubscribing", n)
	}
}

func unsubscribeFromWithin(t *testing.T, b bus.Bus) {
	var calls atomic.Int32
	stop := make(chan func(), 1)
	done := make(chan struct{})
	stop <- b.Subscribe("a", func(bus.Message) {
		if calls.Add(1) == 1 {
			(<-stop)()
			close(done)
		}
	})
	publish(t, b, "a", "one")
	publish(t, b, "a", "two")
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("unsubscribing from within the call does not return")
	}
	time.Sleep(20 * time.Millisecond)
	if n := calls.Load(); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
}

func oneCallAtATime(t *testing.T, b bus.Bus) {
	var inside, calls atomic.Int32
	done := make(chan struct{})
	t.Cleanup(b.Subscribe("a", func(bus.Message) {
		if inside.Add(1) != 1 {
			t.Error("two calls at once")
		}
		time.Sleep(time.Millisecond)
		inside.Add(-1)
		if calls.Add(1) == Queue/2 {
			close(done)
		}
	}))
	for range Queue / 2 {
		publish(t, b, "a", "x")
	}
	select {
	case <-done:
	case <-time.After(patience):
		t.Errorf("%d of %d messages came", calls.Load(), Queue/2)
	}
}

func refusals(t *testing.T, b bus.Bus) {
	if err := b.Publish(t.Context(), "a.*", nil); !errors.Is(err, bus.ErrSubject) {
		t.Errorf("wildcard: %v, want ErrSubject", err)
	}
	if err := b.Publish(t.Context(), "a", make([]byte, bus.MaxData+1)); !errors.Is(err, bus.ErrTooLarge) {
		t.Errorf("too large: %v, want ErrTooLarge", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Publish(ctx, "a", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v, want context.Canceled", err)
	}
	next := collect(t, b, "a")
	if err := b.Publish(t.Context(), "a", make([]byte, bus.MaxData)); err != nil {
		t.Errorf("largest message: %v", err)
	}
	if m := next(); len(m.Data) != bus.MaxData {
		t.Errorf("largest message arrived with %d bytes", len(m.Data))
	}
}

func subscribeToNonsense(t *testing.T, b bus.Bus) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	b.Subscribe("a.>", func(bus.Message) {})
}

func publishFromSubscriber(t *testing.T, b bus.Bus) {
	next := collect(t, b, "answer")
	t.Cleanup(b.Subscribe("question", func(m bus.Message) {
		publish(t, b, "answer", "to "+string(m.Data))
	}))
	publish(t, b, "question", "one")
	if m := next(); string(m.Data) != "to one" {
		t.Errorf("got %q", m.Data)
	}
}

// Many publishers, with subscribers coming and going: each publisher's
// messages stay in order, and nothing races.
func concurrent(t *testing.T, b bus.Bus) {
	const publishers, each = 8, 300
	var last [publishers]int
	total := make(chan int, 1)
	n := 0
	t.Cleanup(b.Subscribe("a", func(m bus.Message) {
		var p, i int
		fmt.Sscanf(string(m.Data), "%d %d", &p, &i)
		if i <= last[p] {
			t.Errorf("publisher %d: %d after %d", p, i, last[p])
		}
		last[p] = i
		if n += 1 + m.Lost; n == publishers*each {
			total <- n
		}
	}))
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			for i := range each {
				publish(t, b, "a", fmt.Sprintf("%d %d", p, i+1))
				if i%10 == 0 {
					b.Subscribe("a", func(bus.Message) {})()
				}
			}
		})
	}
	wg.Wait()
	select {
	case <-total:
	case <-time.After(patience):
		t.Errorf("not all of %d messages came or were counted lost", publishers*each)
	}
}
