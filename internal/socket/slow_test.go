package socket

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"
)

// hesitant takes its time to close, as TLS may that cannot say goodbye.
type hesitant struct {
	net.Conn
	closing, release chan struct{}
}

func (h *hesitant) Close() error {
	close(h.closing)
	<-h.release
	return h.Conn.Close()
}

// Who sends to somebody who is too slow does not wait until he is gone.
func TestSendDoesNotWaitForAnEnd(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	defer far.Close()
	h := &hesitant{Conn: near, closing: make(chan struct{}), release: make(chan struct{})}
	c := NewKind(Options{Wheel: NewWheel(), QueueFrames: 2}).newConn(context.Background(), h, nil)
	sent := make(chan error)
	go func() {
		var err error
		for err == nil {
			err = c.Send(Text(nil))
		}
		sent <- err
	}()
	select {
	case err := <-sent:
		if !errors.Is(err, ErrSlow) {
			t.Errorf("Send = %v, want ErrSlow", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("Send waits for the connection to be closed")
	}
	<-h.closing
	if !errors.Is(context.Cause(c.Context()), ErrSlow) {
		t.Errorf("the socket ended with %v", context.Cause(c.Context()))
	}
	close(h.release)
}
