package app_test

import (
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// watch measures what is promised in milliseconds. Such a promise is for a
// machine that has its processors to give; on one that is shared the limit grows
// with what others take.
type watch struct {
	began time.Time
	crowd float64
}

func startWatch(t *testing.T) watch {
	t.Helper()
	crowd := contention(t)
	return watch{began: time.Now(), crowd: crowd}
}

// limit is the promise on this machine, as it is now. With next to nobody else
// on it, it is the promise itself; otherwise twice what a look before and after
// tells, because a look is short and crowds come and go.
func (w watch) limit(t *testing.T, promise time.Duration) time.Duration {
	t.Helper()
	crowd := max(w.crowd, contention(t))
	if crowd < 1.25 {
		return promise
	}
	return time.Duration(2 * crowd * float64(promise))
}

// contention is how many times longer than alone this process takes at the
// moment, because others want the same processors: 1 on a quiet machine.
func contention(t *testing.T) float64 {
	t.Helper()
	const work = 20 * time.Millisecond // of processor time, for each processor
	var all sync.WaitGroup
	began := time.Now()
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			for from := threadTime(t); threadTime(t)-from < work; {
				for n := range 10_000 {
					_ = n
				}
			}
		})
	}
	all.Wait()
	return max(1, float64(time.Since(began))/float64(work))
}

// threadTime is the processor time that this thread has had.
func threadTime(t *testing.T) time.Duration {
	var u syscall.Rusage
	const thisThread = 1 // RUSAGE_THREAD
	if err := syscall.Getrusage(thisThread, &u); err != nil {
		t.Errorf("getrusage: %v", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
