package arrivals

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gatehouse.dev/internal/fair"
)

// porch is where those stand who have said nothing yet.
type porch struct {
	a      *Listener
	listen syscall.RawConn
	events *os.File // the epoll instance
	raw    syscall.RawConn

	muting sync.Mutex
	muted  bool // no events of the listener

	sparing sync.Mutex // nobody is accepted while it is held
	spare   int        // a descriptor for the case that there are no others; -1: none

	mu             sync.Mutex
	closed         bool
	silent         map[int32]*guest
	oldest, latest *guest // of the silent, who stand in the order of their coming
	expiry         *time.Timer
}

// guest is a connection that the runtime does not know.
type guest struct {
	p          *porch
	fd         int
	from       netip.Addr
	as         string // it counts as
	came       time.Time
	prev, next *guest // of the silent
}

const (
	// takenAtOnce are taken from the kernel before the next look at who has spoken.
	takenAtOnce = 64
	// droppedAtOnce are closed before others may look at the silent.
	droppedAtOnce = 64
	// crowdedPatience is how long a client may take for its first byte while no
	// more connections can be taken.
	crowdedPatience = time.Second
	// listenerToken stands for the listener among descriptors.
	listenerToken = -1
)

func newTaker(a *Listener) (taker, error) {
	s, ok := a.from.(syscall.Conn)
	if !ok {
		return newPlain(a), nil
	}
	listen, err := s.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("look at the listener: %w", err)
	}
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make an epoll instance: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // so that the runtime waits for it
		unix.Close(fd)
		return nil, fmt.Errorf("make an epoll instance: %w", err)
	}
	p := &porch{a: a, listen: listen, events: os.NewFile(uintptr(fd), "epoll"), silent: make(map[int32]*guest)}
	p.expiry = time.AfterFunc(time.Hour, p.expire)
	p.expiry.Stop()
	if p.raw, err = p.events.SyscallConn(); err == nil {
		p.spareOne()
		err = p.watchListener(unix.EPOLL_CTL_ADD, unix.EPOLLIN)
	}
	if err != nil {
		p.close()
		return nil, fmt.Errorf("watch the listener: %w", err)
	}
	return p, nil
}

func (p *porch) watchListener(op int, events uint32) error {
	var err error
	outer := p.listen.Control(func(listen uintptr) {
		err = p.control(op, int(listen), &unix.EpollEvent{Events: events, Fd: listenerToken})
	})
	return errors.Join(outer, err)
}

func (p *porch) control(op, fd int, e *unix.EpollEvent) error {
	var err error
	outer := p.raw.Control(func(epoll uintptr) { err = unix.EpollCtl(int(epoll), op, fd, e) })
	return errors.Join(outer, err)
}

// take implements taker.
func (p *porch) take() error {
	var events [128]unix.EpollEvent
	for {
		n, err := p.wait(events[:])
		if err != nil {
			return err
		}
		listening := false
		for _, e := range events[:n] {
			if e.Fd == listenerToken {
				listening = true
			} else {
				p.spoke(e)
			}
		}
		// Last, for descriptors are used again.
		if listening {
			if err := p.welcome(); err != nil {
				return err
			}
		}
	}
}

// wait waits until something has happened.
func (p *porch) wait(events []unix.EpollEvent) (n int, err error) {
	outer := p.raw.Read(func(epoll uintptr) bool {
		n, err = unix.EpollWait(int(epoll), events, 0)
		if err == unix.EINTR {
			n, err = 0, nil
		}
		return n > 0 || err != nil
	})
	return n, errors.Join(outer, err)
}

// welcome takes connections from the kernel.
func (p *porch) welcome() error {
	for range takenAtOnce {
		if p.mute() {
			return nil
		}
		fd, from, err := p.accept()
		switch {
		case err == nil:
			p.stand(fd, addressOfSocket(from))
		case err == unix.EAGAIN:
			return nil
		case err == unix.EINTR || err == unix.ECONNABORTED:
		case err == unix.EBADF || err == unix.EINVAL || err == net.ErrClosed:
			return err
		default: // too many open files, or what happened to somebody who is gone
			if !p.a.pause() {
				return net.ErrClosed
			}
			return nil
		}
	}
	return nil
}

func (p *porch) accept() (fd int, from unix.Sockaddr, err error) {
	p.sparing.Lock()
	defer p.sparing.Unlock()
	outer := p.listen.Control(func(listen uintptr) {
		// Not yet one that does not block: nobody reads it before the runtime knows
		// it, and os would tell the runtime too soon.
		fd, from, err = unix.Accept4(int(listen), unix.SOCK_CLOEXEC)
	})
	if outer != nil {
		return 0, nil, net.ErrClosed
	}
	return fd, from, err
}

// stand has a newcomer wait until it speaks.
func (p *porch) stand(fd int, from netip.Addr) {
	as, ok := p.a.sources.enter(from)
	if !ok {
		// Nothing is left of it, not even for the kernel.
		unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		unix.Close(fd)
		return
	}
	p.a.held.Add(1)
	g := &guest{p: p, fd: fd, from: from, as: as, came: time.Now()}
	p.mu.Lock()
	defer p.mu.Unlock()
	err := net.ErrClosed
	if !p.closed {
		err = p.control(unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: int32(fd)})
	}
	if err != nil {
		p.a.leave()
		g.close()
		return
	}
	p.add(g)
}

// add puts a guest behind the silent. Call with mu held.
func (p *porch) add(g *guest) {
	p.silent[int32(g.fd)] = g
	if g.prev = p.latest; g.prev != nil {
		g.prev.next = g
	} else {
		p.oldest = g
	}
	p.latest = g
	if p.oldest == g {
		p.schedule()
	}
}

// remove takes a guest out of the silent. Call with mu held.
func (p *porch) remove(g *guest) {
	delete(p.silent, int32(g.fd))
	if g.prev != nil {
		g.prev.next = g.next
	} else {
		p.oldest = g.next
	}
	if g.next != nil {
		g.next.prev = g.prev
	} else {
		p.latest = g.prev
	}
	g.prev, g.next = nil, nil
}

// spoke puts somebody into the line who has spoken.
func (p *porch) spoke(e unix.EpollEvent) {
	p.mu.Lock()
	g := p.silent[e.Fd]
	if g != nil {
		p.remove(g)
		// As an ordinary connection it has another descriptor; this one would be
		// watched on.
		p.control(unix.EPOLL_CTL_DEL, g.fd, nil)
	}
	p.mu.Unlock()
	switch {
	case g == nil:
	case e.Events&unix.EPOLLERR != 0: // reset; who has hung up may have said something before
		p.a.leave()
		g.close()
	default:
		p.a.join(fair.Source(g.from), g)
	}
}

// patience is how long clients may be silent now; 0: for ever.
func (p *porch) patience() time.Duration {
	d := p.a.o.Patience
	if p.a.full() && (d == 0 || d > crowdedPatience) {
		d = crowdedPatience
	}
	return d
}

// schedule has the oldest expire at its time. Call with mu held.
func (p *porch) schedule() {
	if d := p.patience(); p.oldest != nil && d > 0 {
		p.expiry.Reset(time.Until(p.oldest.came.Add(d)))
	}
}

// expire drops those who have been silent for too long.
func (p *porch) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range droppedAtOnce {
		d := p.patience()
		if p.oldest == nil || d == 0 || time.Since(p.oldest.came) < d {
			break
		}
		p.drop(p.oldest)
	}
	p.schedule()
}

// drop closes one of the silent. Call with mu held.
func (p *porch) drop(g *guest) {
	p.remove(g)
	p.a.leave()
	g.close()
}

// mute has the listener make no events while there is no room, and reports
// whether that is so.
func (p *porch) mute() bool {
	if !p.a.full() {
		return false
	}
	p.muting.Lock()
	if p.a.full() && !p.muted {
		p.muted = p.watchListener(unix.EPOLL_CTL_MOD, 0) == nil
	}
	muted := p.muted
	p.muting.Unlock()
	if muted {
		p.mu.Lock()
		p.schedule()
		p.mu.Unlock()
	}
	return muted
}

// room implements taker.
func (p *porch) room() {
	p.muting.Lock()
	defer p.muting.Unlock()
	if p.muted {
		p.muted = p.watchListener(unix.EPOLL_CTL_MOD, unix.EPOLLIN) != nil
	}
}

// close implements taker.
func (p *porch) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.closed = true
	p.expiry.Stop()
	for p.oldest != nil {
		p.drop(p.oldest)
	}
	p.events.Close()
	p.sparing.Lock()
	defer p.sparing.Unlock()
	p.spendSpare()
}

// conn implements arrival.
func (g *guest) conn() (net.Conn, error) {
	c, err := g.p.ordinary(os.NewFile(uintptr(g.fd), "connection"))
	if err == nil && c.RemoteAddr() == nil { // gone, and nobody can say who it was
		c.Close()
		err = net.ErrClosed
	}
	if err != nil {
		g.p.a.sources.leave(g.as)
		return nil, err
	}
	return g.p.a.sources.count(c, g.as), nil
}

// ordinary makes a connection of net, by way of a second descriptor; the first is
// closed. When there are no others it takes the spare one: otherwise those who
// wait could have all that there are, and none be handed over for ever.
func (p *porch) ordinary(f *os.File) (net.Conn, error) {
	defer f.Close()
	c, err := net.FileConn(f)
	for err != nil && passes(err) {
		p.sparing.Lock()
		p.spendSpare()
		if c, err = net.FileConn(f); err == nil {
			f.Close()
		}
		p.spareOne()
		p.sparing.Unlock()
		if err != nil && !p.a.pause() {
			break
		}
	}
	return c, err
}

// spareOne keeps a descriptor. Call with sparing held, as spendSpare.
func (p *porch) spareOne() {
	p.spare = -1
	p.raw.Control(func(epoll uintptr) {
		if fd, err := unix.FcntlInt(epoll, unix.F_DUPFD_CLOEXEC, 0); err == nil {
			p.spare = fd
		}
	})
}

func (p *porch) spendSpare() {
	if p.spare >= 0 {
		unix.Close(p.spare)
		p.spare = -1
	}
}

// close implements arrival.
func (g *guest) close() {
	unix.Close(g.fd)
	g.p.a.sources.leave(g.as)
}

func addressOfSocket(s unix.Sockaddr) netip.Addr {
	switch s := s.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(s.Addr)
	case *unix.SockaddrInet6:
		return netip.AddrFrom16(s.Addr).Unmap()
	}
	return netip.Addr{}
}
