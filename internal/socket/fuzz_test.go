package socket

import (
	"context"
	"net"
	"testing"
	"unicode/utf8"
)

type listener struct {
	t     *testing.T
	limit int
	ended chan struct{}
}

func (l *listener) Message(_ *Conn, text bool, payload []byte) {
	if len(payload) > l.limit {
		l.t.Errorf("a message of %d bytes came through a limit of %d", len(payload), l.limit)
	}
	if text && !utf8.Valid(payload) {
		l.t.Errorf("text %q is not UTF-8", payload)
	}
}

func (l *listener) Ended(*Conn, error) { close(l.ended) }

// FuzzFrames feeds a socket whatever bytes: it ends, and hands out nothing that
// breaks its word.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("\x81\x85\x00\x00\x00\x00hello"))
	f.Add([]byte("\x01\x81\x00\x00\x00\x00a\x89\x80\x00\x00\x00\x00\x80\x81\x00\x00\x00\x00b\x88\x80\x00\x00\x00\x00"))
	f.Add([]byte("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00"))
	wheel := NewWheel()
	const limit = 1 << 10
	kind := NewKind(Options{Wheel: wheel, ReadLimit: limit})
	f.Fuzz(func(t *testing.T, bytes []byte) {
		ours, theirs := net.Pipe()
		theirs.Close() // what was sent early is all there is
		l := &listener{t, limit, make(chan struct{})}
		kind.newConn(context.Background(), ours, bytes).Start(l)
		<-l.ended
	})
}
