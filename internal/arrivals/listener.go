package arrivals

import (
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse.dev/internal/fair"
)

// Options bound who waits. Zero fields are no bound.
type Options struct {
	// Room is for so many connections, silent or in the line; the rest stays with
	// the kernel. Waiting here costs less than anything behind.
	Room int
	// Patience is how long a client may take for its first byte.
	Patience time.Duration
	// PerSource is how many connections a source may have, waiting or handed over.
	PerSource int
	// Uncounted names addresses that PerSource does not hold for.
	Uncounted func(netip.Addr) bool
}

// Listener is a net.Listener; make it with [New].
type Listener struct {
	from    net.Listener
	o       Options
	sources *sources
	line    *fair.Line[arrival]

	begin  sync.Once
	end    sync.Once
	done   chan struct{} // closed by Close
	failed chan error

	held   atomic.Int64 // in the line and silent
	handed int          // of the goroutine that accepts
	taker  taker
}

// arrival is a connection that waits.
type arrival interface {
	// conn makes it an ordinary one.
	conn() (net.Conn, error)
	// close ends one that was not made ordinary.
	close()
}

// taker takes connections from the kernel.
type taker interface {
	// take puts those that have spoken into the line, until the listener fails or
	// is closed.
	take() error
	// room is called when there is room again.
	room()
	// close drops those that have not.
	close()
}

const (
	// While others wait, a connection for each processor is handed over every so
	// often at most. In the pause the runtime looks for what has come from the
	// network; how fast it really goes is how fast those before get on.
	handedAtOnce = 1
	handedEvery  = 50 * time.Microsecond
)

// New takes over l, which nobody else must accept from.
func New(l net.Listener, o Options) (*Listener, error) {
	a := &Listener{
		from: l, o: o, line: fair.NewLine[arrival](), sources: newSources(o.PerSource, o.Uncounted),
		done: make(chan struct{}), failed: make(chan error),
	}
	var err error
	a.taker, err = newTaker(a)
	return a, err
}

// Addr implements net.Listener.
func (a *Listener) Addr() net.Addr { return a.from.Addr() }

// Accept implements net.Listener. It is called by one goroutine.
func (a *Listener) Accept() (net.Conn, error) {
	a.begin.Do(func() { go a.receive() })
	for {
		if a.handed++; a.handed%(handedAtOnce*runtime.GOMAXPROCS(0)) == 0 && a.line.Waiting() > 0 {
			time.Sleep(handedEvery)
			// Behind all that can run now: when the processors have too much to do,
			// as during a collection, more work only makes everybody wait.
			runtime.Gosched()
		}
		next, ok := a.line.Next()
		if !ok {
			return nil, a.over()
		}
		a.leave()
		if c, err := next.conn(); err == nil {
			return c, nil
		} // it has gone meanwhile
	}
}

// over says why there is no next one.
func (a *Listener) over() error {
	var err error
	select {
	case err = <-a.failed:
	case <-a.done:
	}
	if a.isClosed() {
		err = net.ErrClosed
	}
	return err
}

func (a *Listener) isClosed() bool {
	select {
	case <-a.done:
		return true
	default:
		return false
	}
}

// receive takes connections until the end, which closes those who are left.
func (a *Listener) receive() {
	err := a.taker.take()
	a.taker.close()
	a.dismiss()
	select {
	case a.failed <- err:
	case <-a.done:
	}
}

func (a *Listener) dismiss() {
	for _, c := range a.line.Close() {
		a.leave()
		c.close()
	}
}

// join puts one that has spoken into the line.
func (a *Listener) join(source string, c arrival) {
	if !a.line.Join(source, c) {
		a.leave()
		c.close()
	}
}

// leave makes room.
func (a *Listener) leave() {
	if a.held.Add(-1) == int64(a.o.Room)-1 {
		a.taker.room()
	}
}

func (a *Listener) full() bool { return a.o.Room > 0 && a.held.Load() >= int64(a.o.Room) }

// TurnedAway is how many connections were closed because their source had enough.
func (a *Listener) TurnedAway() int64 { return a.sources.turnedAway.Load() }

// Close implements net.Listener.
func (a *Listener) Close() error {
	a.end.Do(func() { close(a.done) })
	err := a.from.Close()
	a.taker.close()
	a.dismiss()
	return err
}
