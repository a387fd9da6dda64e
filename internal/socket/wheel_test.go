package socket

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever is set, moved and stopped: a timer fires once, never early, and at
// most two ticks late.
func TestWheel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := NewWheel()
		timers := make([]Timer, 5)
		due := make([]int64, len(timers)) // 0: stopped
		var now int64
		fired := func(i int) func() {
			return func() {
				if due[i] == 0 || w.now < due[i] {
					t.Fatalf("timer %d fired at %d, due %d", i, w.now, due[i])
				}
				due[i] = 0
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				i := rapid.IntRange(0, len(timers)-1).Draw(t, "timer")
				d := rapid.Int64Range(0, 3*wheelSlots).Draw(t, "ticks")
				w.Set(&timers[i], time.Duration(d)*Tick, fired(i))
				due[i] = now + d + 1
			},
			"stop": func(t *rapid.T) {
				i := rapid.IntRange(0, len(timers)-1).Draw(t, "timer")
				w.Stop(&timers[i])
				due[i] = 0
			},
			"turn": func(t *rapid.T) {
				now += rapid.Int64Range(1, 2*wheelSlots).Draw(t, "ticks")
				w.advance(now)
				for i, d := range due {
					if d != 0 && d <= now {
						t.Fatalf("timer %d was due at %d and has not fired at %d", i, d, now)
					}
				}
			},
		})
	})
}
