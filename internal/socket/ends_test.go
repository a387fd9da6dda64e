package socket_test

import (
	"net"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse.dev/internal/socket"
)

// funeral counts how many ends are seen to at the same time.
type funeral struct {
	now, most, all atomic.Int32
	why            chan error
}

func (f *funeral) Message(*socket.Conn, bool, []byte) {}

func (f *funeral) Ended(_ *socket.Conn, why error) {
	if n := f.now.Add(1); n > f.most.Load() {
		f.most.Store(n)
	}
	time.Sleep(2 * time.Millisecond)
	f.now.Add(-1)
	f.all.Add(1)
	f.why <- why
}

// Sockets that are reset at one moment are cleared away a few at a time, and
// each of them once.
func TestManyEndsAtOnce(t *testing.T) {
	t.Parallel()
	const n = 200
	f := &funeral{why: make(chan error, 2*n)}
	s := serve(t, socket.Options{})
	s.handler = f
	peers := make([]*peer, n)
	for i := range peers {
		peers[i] = s.dial(t, "")
		<-s.conns
	}
	for _, p := range peers {
		p.Conn.(*net.TCPConn).SetLinger(0)
		p.Close()
	}
	for i := range n {
		select {
		case why := <-f.why:
			if why == nil {
				t.Error("an end without a reason")
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%d of %d sockets have ended", i, n)
		}
	}
	time.Sleep(20 * time.Millisecond)
	if all, most := f.all.Load(), f.most.Load(); all != n || most > n/10 {
		t.Errorf("%d ends of %d sockets, %d at the same time", all, n, most)
	}
}
