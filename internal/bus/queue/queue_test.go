package queue

import (
	"fmt"
	"sync/atomic"
	"testing"

	"gatehouse.dev/internal/bus"
)

// drain takes all that is there, each as "data/lost".
func drain(q *Queue) (all []string) {
	for {
		m, ok, _ := q.take()
		if !ok {
			return all
		}
		if len(m.Data) > 10 {
			m.Data = m.Data[:1]
		}
		all = append(all, fmt.Sprintf("%s/%d", m.Data, m.Lost))
	}
}

func message(s string) bus.Message { return bus.Message{Data: []byte(s)} }

func TestQueue(t *testing.T) {
	t.Parallel()
	large := message("x" + string(make([]byte, Bytes/2)))
	for name, c := range map[string]struct {
		do    func(q *Queue)
		want  string
		total int64
	}{
		"Fits":         {func(q *Queue) { q.Put(message("a")); q.Put(message("b")) }, "[a/0 b/0]", 0},
		"LosesOldest":  {func(q *Queue) { put(q, "a", "b", "c", "d", "e") }, "[c/2 d/0 e/0]", 2},
		"Missed":       {func(q *Queue) { put(q, "a"); q.Miss(2); put(q, "b") }, "[a/0 b/2]", 2},
		"MissedIsLost": {func(q *Queue) { put(q, "a"); q.Miss(2); put(q, "b", "c", "d", "e") }, "[c/4 d/0 e/0]", 4},
		"MissedLast":   {func(q *Queue) { put(q, "a"); q.Miss(1) }, "[a/0]", 1},
		"TooManyBytes": {func(q *Queue) { q.Put(large); q.Put(message("a")); q.Put(large) }, "[a/1 x/0]", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var total atomic.Int64
			q := New(3, &total)
			c.do(q)
			if got := fmt.Sprint(drain(q)); got != c.want || total.Load() != c.total {
				t.Errorf("%s with %d lost in all, want %s with %d", got, total.Load(), c.want, c.total)
			}
		})
	}
}

func put(q *Queue, all ...string) {
	for _, s := range all {
		q.Put(message(s))
	}
}
