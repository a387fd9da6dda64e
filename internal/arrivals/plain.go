package arrivals

import (
	"errors"
	"net"
	"time"

	"gatehouse.dev/internal/fair"
)

// plain takes from any listener, and does not wait for anybody to speak.
type plain struct {
	a       *Listener
	roomier chan struct{} // has a token when there may be room again
}

func newPlain(a *Listener) plain { return plain{a, make(chan struct{}, 1)} }

func (p plain) take() error {
	for {
		for p.a.full() {
			select {
			case <-p.roomier:
			case <-p.a.done:
				return net.ErrClosed
			}
		}
		c, err := p.a.from.Accept()
		switch {
		case err == nil:
			p.welcome(c)
		case !passes(err) || !p.a.pause():
			return err
		}
	}
}

func (p plain) welcome(c net.Conn) {
	from := addressOf(c.RemoteAddr())
	as, ok := p.a.sources.enter(from)
	if !ok {
		c.(*net.TCPConn).SetLinger(0) // nothing is left of it, not even for the kernel
		c.Close()
		return
	}
	p.a.held.Add(1)
	p.a.join(fair.Source(from), known{p.a.sources.count(c, as)})
}

func (p plain) close() {}

func (p plain) room() {
	select {
	case p.roomier <- struct{}{}:
	default:
	}
}

// known is a connection that the runtime knows.
type known struct{ net.Conn }

func (k known) conn() (net.Conn, error) { return k.Conn, nil }
func (k known) close()                  { k.Conn.Close() }

// passes reports whether an error of accepting passes, such as too many open
// files.
func passes(err error) bool {
	var n net.Error
	//lint:ignore SA1019 there is nothing better for errors of accept
	return errors.As(err, &n) && n.Temporary()
}

// pause waits after an error that passes. It reports whether the listener is
// still open.
func (a *Listener) pause() bool {
	select {
	case <-time.After(20 * time.Millisecond):
		return true
	case <-a.done:
		return false
	}
}
