package app

import (
	"errors"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gatehouse.dev/internal/fair"
)

// arrivals takes connections from the kernel as fast as they come and hands them
// to the server once they have said something, in turn by source and a few at a
// time.
//
// The kernel's own queue is first come, first served, and short. When ten
// thousand clients return at once, whoever else opens a connection would stand
// behind them all, or be turned away and try again seconds later. And a server
// that is given all of them in one go has ten thousand goroutines that want to
// run as soon as they speak, before which no other request gets a turn.
type arrivals struct {
	net.Listener
	line     *fair.Line[net.Conn]
	room     int64         // for so many, in the line and silent; 0: for all
	patience time.Duration // with the silent
	failed   chan error
	begin    sync.Once
	done     chan struct{} // closed by Close
	end      sync.Once

	held   atomic.Int64 // in the line and silent
	handed int          // of the goroutine that accepts

	mu     sync.Mutex
	silent map[net.Conn]struct{} // nil once closed
}

const (
	// While others wait, a connection for each processor is handed over every so
	// often: 4,000 in a second and processor, more than can be answered.
	handedAtOnce = 1
	handedEvery  = 250 * time.Microsecond
)

// newArrivals takes connections from l. At most room of them wait for the server
// or for their client's first word, the rest stays with the kernel; 0 is no
// bound. Waiting here costs less than anything behind.
func newArrivals(l net.Listener, room int, patience time.Duration) *arrivals {
	return &arrivals{
		Listener: l, line: fair.NewLine[net.Conn](), room: int64(room), patience: patience,
		failed: make(chan error), done: make(chan struct{}), silent: make(map[net.Conn]struct{}),
	}
}

// Accept implements net.Listener. It is called by one goroutine.
func (a *arrivals) Accept() (net.Conn, error) {
	a.begin.Do(func() { go a.receive() })
	if a.handed++; a.handed%(handedAtOnce*runtime.GOMAXPROCS(0)) == 0 && a.line.Waiting() > 0 {
		time.Sleep(handedEvery)
	}
	c, ok := a.line.Next()
	if ok {
		a.held.Add(-1)
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
		a.held.Add(1)
		if raw := rawConn(c); raw == nil || heard(raw) {
			a.join(c)
		} else {
			go a.listen(c, raw)
		}
		for a.room > 0 && a.held.Load() >= a.room && !a.sleep(time.Millisecond) {
		}
	}
}

func (a *arrivals) join(c net.Conn) {
	if !a.line.Join(sourceOf(c), c) {
		a.drop(c)
	}
}

func (a *arrivals) drop(c net.Conn) {
	a.held.Add(-1)
	c.Close()
}

// listen waits for a client to speak, as the first one must in all that is served
// here, and then puts it in the line. What the server does about the first bytes
// is a hundred times as much.
func (a *arrivals) listen(c net.Conn, raw syscall.RawConn) {
	c.SetReadDeadline(time.Now().Add(a.patience))
	a.mu.Lock()
	if a.silent == nil {
		a.mu.Unlock()
		a.drop(c)
		return
	}
	a.silent[c] = struct{}{}
	a.mu.Unlock()
	err := raw.Read(readable)
	a.mu.Lock()
	delete(a.silent, c)
	a.mu.Unlock()
	if err != nil {
		a.drop(c)
		return
	}
	c.SetReadDeadline(time.Time{})
	a.join(c)
}

// rawConn is what the client's first bytes can be seen through without taking
// them; nil where there is no such thing.
func rawConn(c net.Conn) syscall.RawConn {
	s, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// heard reports whether a client has spoken already.
func heard(raw syscall.RawConn) (yes bool) {
	err := raw.Read(func(fd uintptr) bool {
		yes = readable(fd)
		return true
	})
	return yes || err != nil
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
	a.mu.Lock()
	for c := range a.silent {
		c.SetReadDeadline(time.Unix(1, 0)) // whoever listens to it drops it
	}
	a.silent = nil
	a.mu.Unlock()
	for _, c := range a.line.Close() {
		c.Close()
	}
	return err
}
