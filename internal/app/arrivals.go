package app

import (
	"errors"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"gatehouse.dev/internal/fair"
)

// arrivals takes connections from the kernel as fast as they come and hands them
// to the server in turn by source, a few at a time.
//
// The kernel's own queue is first come, first served, and short. When ten
// thousand clients return at once, whoever else opens a connection would stand
// behind them all, or be turned away and try again seconds later. And a server
// that accepts all of them in one go has ten thousand goroutines that want to
// run, before which no other request gets a turn.
type arrivals struct {
	net.Listener
	line   *fair.Line[net.Conn]
	failed chan error
	begin  sync.Once
	done   chan struct{} // closed by Close
	end    sync.Once

	handed int // of the goroutine that accepts
}

const (
	// While others wait, four connections for each processor are handed over every
	// so often: 8,000 in a second and processor, more than can be answered.
	handedAtOnce = 4
	handedEvery  = 500 * time.Microsecond
	// mostArrivals is how many may be in the line, where the listener below
	// has no bound of its own; the rest stay with the kernel.
	mostArrivals = 16384
)

func newArrivals(l net.Listener) *arrivals {
	return &arrivals{Listener: l, line: fair.NewLine[net.Conn](), failed: make(chan error), done: make(chan struct{})}
}

// Accept implements net.Listener. It is called by one goroutine.
func (a *arrivals) Accept() (net.Conn, error) {
	a.begin.Do(func() { go a.receive() })
	if a.handed++; a.handed%(handedAtOnce*runtime.GOMAXPROCS(0)) == 0 && a.line.Waiting() > 0 {
		time.Sleep(handedEvery)
	}
	c, ok := a.line.Next()
	if ok {
		return c, nil
	}
	select {
	case err := <-a.failed:
		return nil, err
	case <-a.done:
		return nil, net.ErrClosed
	}
}

// receive takes connections from the kernel until the listener is closed.
func (a *arrivals) receive() {
	for {
		c, err := a.Listener.Accept()
		if err != nil {
			if a.passing(err) {
				continue
			}
			for _, c := range a.line.Close() {
				c.Close()
			}
			select {
			case a.failed <- err:
			case <-a.done:
			}
			return
		}
		if !a.line.Join(sourceOf(c), c) {
			c.Close()
		}
		for a.line.Waiting() >= mostArrivals && !a.sleep(time.Millisecond) {
		}
	}
}

// passing waits after errors that pass, such as too many open files, as
// net/http does.
func (a *arrivals) passing(err error) bool {
	var n net.Error
	//lint:ignore SA1019 there is nothing better for errors of accept
	return errors.As(err, &n) && n.Temporary() && !a.sleep(20*time.Millisecond)
}

// sleep reports whether the listener was closed.
func (a *arrivals) sleep(d time.Duration) bool {
	select {
	case <-time.After(d):
		return false
	case <-a.done:
		return true
	}
}

func sourceOf(c net.Conn) string {
	if t, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return fair.Source(t.AddrPort().Addr())
	}
	return netip.Addr{}.String()
}

// Close implements net.Listener.
func (a *arrivals) Close() error {
	a.end.Do(func() { close(a.done) })
	err := a.Listener.Close()
	for _, c := range a.line.Close() {
		c.Close()
	}
	return err
}
