package ops

import (
	"testing"
	"time"
)

func BenchmarkObserve(b *testing.B) {
	m := NewMetrics("bench")
	b.ReportAllocs()
	for b.Loop() {
		m.Observe("gate", "files", "GET", 204, time.Millisecond)
	}
}
