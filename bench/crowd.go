package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sync/errgroup"
)

// visit is what one WebSocket client does until it is in: the handshake, a
// message of its own if there is one, and the frames that it then waits for.
type visit struct {
	addr   string
	tls    *tls.Config // nil: plain
	path   func(i int) string
	header func(i int) string // lines of the handshake, each with its end
	login  string             // message after the upgrade; empty: none
	after  func(i int) string // message after the first frame; nil: none
	frames int
}

// member is one client of a crowd. It answers pings and reads what comes.
type member struct {
	conn  net.Conn
	in    *bufio.Reader
	write sync.Mutex
}

// source spreads a crowd over loopback addresses, as real crowds are, and so
// that no address runs out of ports.
func source(i int) *net.TCPAddr {
	return &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i%100))}
}

// visitTime bounds one visit. It is long: a server with thousands before it may
// take its time, but not for ever.
const visitTime = 60 * time.Second

func (v *visit) open(ctx context.Context, i int) (_ *member, err error) {
	d := net.Dialer{LocalAddr: source(i), Timeout: visitTime}
	raw, err := d.DialContext(ctx, "tcp", v.addr)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			raw.Close()
		}
	}()
	raw.SetDeadline(time.Now().Add(visitTime))
	m := &member{conn: raw}
	if v.tls != nil {
		m.conn = tls.Client(raw, v.tls)
	}
	m.in = bufio.NewReaderSize(m.conn, 512)
	if err := m.upgrade(v, i); err != nil {
		return nil, err
	}
	if v.login != "" {
		if err := m.say(ws.OpText, v.login); err != nil {
			return nil, err
		}
	}
	for n := range v.frames {
		op, payload, err := m.next()
		if err != nil {
			return nil, fmt.Errorf("wait for frame %d: %w", n, err)
		}
		if op == ws.OpClose {
			return nil, fmt.Errorf("closed: %q", payload)
		}
		if n == 0 && v.after != nil {
			if err := m.say(ws.OpText, v.after(i)); err != nil {
				return nil, err
			}
		}
	}
	raw.SetDeadline(time.Time{})
	return m, nil
}

func (m *member) upgrade(v *visit, i int) error {
	_, err := fmt.Fprintf(m.conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n", v.path(i), v.addr, v.header(i))
	if err != nil {
		return err
	}
	res, err := http.ReadResponse(m.in, nil)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("the handshake is answered with %s", res.Status)
	}
	return nil
}

// say sends a frame under a mask of zeros.
func (m *member) say(op ws.OpCode, payload string) error {
	var b bytes.Buffer
	if err := ws.WriteHeader(&b, ws.Header{Fin: true, OpCode: op, Masked: true, Length: int64(len(payload))}); err != nil {
		return err
	}
	b.WriteString(payload)
	m.write.Lock()
	defer m.write.Unlock()
	_, err := m.conn.Write(b.Bytes())
	return err
}

// next returns the next frame that is no ping.
func (m *member) next() (ws.OpCode, []byte, error) {
	for {
		var head [2]byte
		if _, err := io.ReadFull(m.in, head[:]); err != nil {
			return 0, nil, err
		}
		n := int(head[1] & 0x7f)
		switch n {
		case 126:
			var long [2]byte
			if _, err := io.ReadFull(m.in, long[:]); err != nil {
				return 0, nil, err
			}
			n = int(binary.BigEndian.Uint16(long[:]))
		case 127:
			return 0, nil, errors.New("a frame of more than 64 KiB")
		}
		payload := make([]byte, n)
		if _, err := io.ReadFull(m.in, payload); err != nil {
			return 0, nil, err
		}
		op := ws.OpCode(head[0] & 0x0f)
		if op != ws.OpPing {
			return op, payload, nil
		}
		if err := m.say(ws.OpPong, string(payload)); err != nil {
			return 0, nil, err
		}
	}
}

// leave resets the connection, so that its port is free again at once.
func (m *member) leave() {
	raw := m.conn
	if t, ok := raw.(*tls.Conn); ok {
		raw = t.NetConn()
	}
	raw.(*net.TCPConn).SetLinger(0)
	raw.Close()
}

// crowd is many clients that are in.
type crowd struct {
	members []*member
	marker  atomic.Pointer[marker]
	ended   atomic.Int64
	gone    chan struct{} // closed when all were closed by the server
	over    chan struct{} // closed by scatter
	end     sync.Once

	readers sync.WaitGroup
}

// marker counts who has received a text.
type marker struct {
	text []byte
	left atomic.Int64
	all  chan struct{}
}

// gather opens n clients, so many at a time.
func gather(ctx context.Context, v visit, n, atOnce int) (*crowd, error) {
	c := &crowd{members: make([]*member, n), gone: make(chan struct{}), over: make(chan struct{})}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i := range n {
		group.Go(func() (err error) {
			if c.members[i], err = v.open(ctx, i); err != nil {
				return fmt.Errorf("client %d of %d: %w", i, n, err)
			}
			c.readers.Go(func() { c.listen(c.members[i]) })
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		c.scatter()
		return nil, err
	}
	return c, nil
}

// listen reads until the server closes. Those who are told so hang up when all
// have been: on machines of their own they would not take the processors that the
// server tells the others with.
func (c *crowd) listen(m *member) {
	for {
		op, payload, err := m.next()
		if err != nil || op == ws.OpClose {
			if c.ended.Add(1) == int64(len(c.members)) {
				close(c.gone)
			}
			select {
			case <-c.gone:
			case <-c.over:
			}
			m.leave()
			return
		}
		if k := c.marker.Load(); k != nil && bytes.Contains(payload, k.text) && k.left.Add(-1) == 0 {
			close(k.all)
		}
	}
}

// scatter ends all of them from this side.
func (c *crowd) scatter() {
	c.end.Do(func() { close(c.over) })
	for _, m := range c.members {
		if m != nil {
			m.leave()
		}
	}
	c.readers.Wait()
}

// hearing starts to wait for a text that every member is to receive once.
func (c *crowd) hearing(text string) <-chan struct{} {
	k := &marker{text: []byte(text), all: make(chan struct{})}
	k.left.Store(int64(len(c.members)))
	c.marker.Store(k)
	return k.all
}

// within waits for done, but not for ever.
func within(ctx context.Context, done <-chan struct{}, d time.Duration, what string) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return fmt.Errorf("after %v not all have %s", d, what)
	}
}
