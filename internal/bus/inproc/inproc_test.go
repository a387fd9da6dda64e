package inproc_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"gatehouse.dev/internal/bus"
	"gatehouse.dev/internal/bus/bustest"
	"gatehouse.dev/internal/bus/inproc"
)

func TestBus(t *testing.T) {
	t.Parallel()
	bustest.Run(t, func(t *testing.T) bus.Bus {
		b := inproc.New(bustest.Queue)
		t.Cleanup(b.Close)
		return b
	})
}

func TestLostIsCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := inproc.New(4)
		defer b.Close()
		gate := make(chan struct{})
		var got []string
		b.Subscribe("s", func(m bus.Message) {
			<-gate
			got = append(got, fmt.Sprintf("%s lost %d", m.Data, m.Lost))
		})
		b.Publish(t.Context(), "s", []byte("0"))
		synctest.Wait() // the subscriber is busy with 0
		for i := range 10 {
			b.Publish(t.Context(), "s", fmt.Append(nil, i+1))
		}
		close(gate)
		synctest.Wait()
		if want := "[0 lost 0 7 lost 6 8 lost 0 9 lost 0 10 lost 0]"; fmt.Sprint(got) != want {
			t.Errorf("got  %v\nwant %v", got, want)
		}
	})
}

func TestClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := inproc.New(0)
		finished := false
		gate := make(chan struct{})
		b.Subscribe("s", func(bus.Message) { <-gate; finished = true })
		b.Publish(t.Context(), "s", nil)
		synctest.Wait()
		go close(gate)
		b.Close()
		if !finished {
			t.Error("Close did not wait for the call that was running")
		}
		if err := b.Publish(t.Context(), "s", nil); !errors.Is(err, bus.ErrClosed) {
			t.Errorf("publish after close: %v, want ErrClosed", err)
		}
		b.Subscribe("s", func(bus.Message) { t.Error("called on a closed bus") })()
	})
}

func BenchmarkPublish(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprintf("%dSubscribers", n), func(b *testing.B) {
			bs := inproc.New(0)
			defer bs.Close()
			for range n {
				bs.Subscribe("s", func(bus.Message) {})
			}
			data := make([]byte, 64)
			b.ReportAllocs()
			for b.Loop() {
				bs.Publish(b.Context(), "s", data)
			}
		})
	}
}
