package nats

import (
	"testing"
	"time"

	"gatehouse.dev/internal/bus"
	"gatehouse.dev/internal/bus/nats/natstest"
)

// TestLateMessage: what a connection that is lost still brings is dropped, since
// newer messages may have been delivered already.
func TestLateMessage(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t)
	b, err := New(Options{URLs: []string{s.URL()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	got := make(chan string, 10)
	t.Cleanup(b.Subscribe("x", func(m bus.Message) { got <- string(m.Data) }))
	b.mu.RLock()
	before, topic := b.generation, b.topics["x"]
	b.mu.RUnlock()
	s.Down()
	for b.Check() == nil {
		time.Sleep(time.Millisecond)
	}
	if err := b.Publish(t.Context(), "x", []byte("new")); err != nil {
		t.Fatal(err)
	}
	b.receive(topic, before, 0, []byte("late"))
	if err := b.Publish(t.Context(), "x", []byte("newer")); err != nil {
		t.Fatal(err)
	}
	if one, two := <-got, <-got; one != "new" || two != "newer" {
		t.Errorf("got %q and %q, want what was published during the outage alone", one, two)
	}
}
