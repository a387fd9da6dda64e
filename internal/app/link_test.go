package app_test

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// link is a way to PostgreSQL's socket that can be cut.
type link struct {
	dir, to  string
	mu       sync.Mutex
	listener net.Listener
	conns    map[net.Conn]struct{}
	all      sync.WaitGroup
}

func newLink(t *testing.T, to string) *link {
	t.Helper()
	dir, err := os.MkdirTemp("", "gatehouse-link-") // short: it holds a socket
	if err != nil {
		t.Fatal(err)
	}
	l := &link{dir: dir, to: filepath.Join(to, ".s.PGSQL.5432"), conns: make(map[net.Conn]struct{})}
	l.mend()
	t.Cleanup(func() {
		l.cut()
		l.all.Wait()
		os.RemoveAll(dir)
	})
	return l
}

func (l *link) url() string {
	return "host=" + l.dir + " user=postgres dbname=gatehouse sslmode=disable"
}

func (l *link) mend() {
	at, err := net.Listen("unix", filepath.Join(l.dir, ".s.PGSQL.5432"))
	if err != nil {
		panic(err)
	}
	l.mu.Lock()
	l.listener = at
	l.mu.Unlock()
	l.all.Go(func() {
		for {
			c, err := at.Accept()
			if err != nil {
				return
			}
			l.all.Go(func() { l.pass(c) })
		}
	})
}

func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listener.Close()
	for c := range l.conns {
		c.Close()
	}
}

func (l *link) pass(c net.Conn) {
	defer c.Close()
	d, err := net.Dial("unix", l.to)
	if err != nil {
		return
	}
	defer d.Close()
	l.mu.Lock()
	l.conns[c], l.conns[d] = struct{}{}, struct{}{}
	l.mu.Unlock()
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{c, d}, {d, c}} {
		both.Go(func() {
			io.Copy(way[0], way[1])
			c.Close()
			d.Close()
		})
	}
	both.Wait()
	l.mu.Lock()
	delete(l.conns, c)
	delete(l.conns, d)
	l.mu.Unlock()
}
