package app_test

import (
	"net/http"
	"runtime"
	"testing"
	"time"
)

// footprint is what a leak would make grow.
type footprint struct {
	goroutines int
	heap       uint64
}

func count() footprint {
	http.DefaultClient.CloseIdleConnections()
	downloads.CloseIdleConnections()
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return footprint{runtime.NumGoroutine(), m.HeapAlloc}
}

// compare waits for the footprint to be again what it was, or nearly.
func (f footprint) compare(t *testing.T) {
	t.Helper()
	const moreGoroutines, moreHeap = 50, 16 << 20
	var now footprint
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		now = count()
		if now.goroutines <= f.goroutines+moreGoroutines && now.heap <= f.heap+moreHeap {
			t.Logf("before and after: %d and %d goroutines, %d and %d KiB", f.goroutines, now.goroutines, f.heap>>10, now.heap>>10)
			return
		}
	}
	t.Errorf("before and after: %d and %d goroutines, %d and %d KiB", f.goroutines, now.goroutines, f.heap>>10, now.heap>>10)
}
