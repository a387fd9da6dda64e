package socket_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"gatehouse.dev/internal/socket"
)

func TestEarlyBytes(t *testing.T) {
	t.Parallel()
	s := serve(t, socket.Options{})
	s.dial(t, text("early")+text("bird"))
	for _, want := range []string{"text:early", "text:bird"} {
		if got := <-s.messages; got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
	}
}

func TestSendInOrder(t *testing.T) {
	t.Parallel()
	s := serve(t, socket.Options{})
	p := s.dial(t, "")
	c := <-s.conns
	big := strings.Repeat("b", 70_000)
	for _, m := range []string{"one", "", big} {
		if err := c.Send(socket.Text([]byte(m))); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"text:one", "text:", "text:" + big} {
		if got := p.next(); got != want {
			t.Errorf("got %.40q, want %.40q", got, want)
		}
	}
	if got := c.Stats().MessagesOut; got != 3 {
		t.Errorf("MessagesOut = %d, want 3", got)
	}
}

func TestPartsOfAFrame(t *testing.T) {
	t.Parallel()
	s := serve(t, socket.Options{})
	p := s.dial(t, "")
	c := <-s.conns
	for _, size := range []int{0, 100, 1000, 70_000} {
		shared := strings.Repeat("s", size)
		if err := c.Send(socket.TextParts([]byte("to you: "), []byte(shared))); err != nil {
			t.Fatal(err)
		}
		if got, want := p.next(), "text:to you: "+shared; got != want {
			t.Errorf("got %.40q, want %.40q", got, want)
		}
	}
}

func TestCloseSaysWhy(t *testing.T) {
	t.Parallel()
	s := serve(t, socket.Options{})
	p := s.dial(t, "")
	c := <-s.conns
	c.Close(1008, "credential no longer valid")
	c.Close(1001, "second")
	p.send(t, text("after the close"))
	if got, want := p.next(), "close:1008 credential no longer valid"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	p.send(t, closing(1008, ""))
	if got, want := <-s.messages, `ended: closed with 1008 "credential no longer valid"`; got != want {
		t.Errorf("application heard %q, want %q", got, want)
	}
	if err := c.Send(socket.Text([]byte("x"))); !errors.Is(err, socket.ErrClosed) {
		t.Errorf("Send = %v, want ErrClosed", err)
	}
}

// A peer that ignores the close frame does not keep the socket.
func TestCloseDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	s := serve(t, socket.Options{CloseTimeout: 50 * time.Millisecond})
	s.dial(t, "")
	(<-s.conns).Close(1001, "")
	select {
	case <-s.messages:
	case <-time.After(5 * time.Second):
		t.Error("the socket stays open")
	}
}

func TestSlowReaderIsCut(t *testing.T) {
	t.Parallel()
	s := serve(t, socket.Options{QueueBytes: 1 << 20})
	s.dial(t, "") // and never reads
	c := <-s.conns
	f := socket.Text(make([]byte, 64<<10))
	var err error
	for range 10_000 {
		if err = c.Send(f); err != nil {
			break
		}
	}
	if !errors.Is(err, socket.ErrSlow) {
		t.Fatalf("Send = %v, want ErrSlow", err)
	}
	if got := <-s.messages; got != "ended: the reader is too slow" {
		t.Errorf("heard %q", got)
	}
}

func TestPings(t *testing.T) {
	t.Parallel()
	s := serve(t, socket.Options{PingEvery: 150 * time.Millisecond, PingsMissed: 2})
	p := s.dial(t, "")
	for range 4 { // answered ones keep it
		if got := p.next(); got != "ping:" {
			t.Fatalf("got %q, want a ping", got)
		}
		p.send(t, frame(true, ws.OpPong, ""))
	}
	for range 2 {
		if got := p.next(); got != "ping:" {
			t.Fatalf("got %q, want a ping", got)
		}
	}
	if got := p.next(); got != "gone" {
		t.Errorf("got %q after two unanswered pings, want the end", got)
	}
	if got := <-s.messages; got != "ended: the peer answers no pings" {
		t.Errorf("heard %q", got)
	}
}

// A peer may be silent for ever, but not in the middle of a message.
func TestUnfinishedMessage(t *testing.T) {
	t.Parallel()
	for name, half := range map[string]string{
		"Header":    text("hello")[:3],
		"Payload":   text("hello")[:8],
		"Fragments": frame(false, ws.OpText, "a") + frame(true, ws.OpPing, ""),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, socket.Options{ReadTimeout: 100 * time.Millisecond})
			s.dial(t, half)
			select {
			case got := <-s.messages:
				if !strings.Contains(got, "i/o timeout") {
					t.Errorf("heard %q", got)
				}
			case <-time.After(5 * time.Second):
				t.Error("the socket stays open")
			}
		})
	}
}

func TestBinaryRefused(t *testing.T) {
	t.Parallel()
	s := serve(t, socket.Options{NoBinary: true})
	p := s.dial(t, frame(true, ws.OpBinary, "x"))
	if got := p.next(); !strings.HasPrefix(got, "close:1003") {
		t.Errorf("got %q, want close 1003", got)
	}
}

// lenient is a server that skips what is too long.
type lenient struct{ *server }

func (l lenient) TooLong(*socket.Conn) { l.messages <- "too long" }

func TestTooLongIsSkipped(t *testing.T) {
	t.Parallel()
	s := serve(t, socket.Options{ReadLimit: 10})
	s.handler = lenient{s}
	p := s.dial(t, "")
	p.send(t, text("12345678901"), text("short"),
		frame(false, ws.OpText, "12345678"), frame(false, ws.OpContinuation, "901"), frame(true, ws.OpContinuation, ""),
		text("again"), text(strings.Repeat("x", 2<<20)))
	for _, want := range []string{"too long", "text:short", "too long", "text:again"} {
		if got := <-s.messages; got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
	}
	if got := p.next(); !strings.HasPrefix(got, "close:1009") {
		t.Errorf("got %q for two megabytes, want close 1009", got)
	}
}

func TestHandshakeRefused(t *testing.T) {
	t.Parallel()
	s := serve(t, socket.Options{})
	tests := map[string]struct {
		old, new string
		want     int
	}{
		"Method":      {"GET /", "POST /", http.StatusMethodNotAllowed},
		"Upgrade":     {"Upgrade: websocket", "Upgrade: h2c", http.StatusUpgradeRequired},
		"Connection":  {"Connection: Upgrade", "Connection: close", http.StatusUpgradeRequired},
		"Version":     {"Version: 13", "Version: 8", http.StatusUpgradeRequired},
		"Key":         {"dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ=", http.StatusBadRequest},
		"KeyNoBase64": {"dGhlIHNhbXBsZSBub25jZQ==", "!!!!!!!!!!!!!!!!!!!!!!!!", http.StatusBadRequest},
		"Body":        {"\r\n\r\n", "\r\nContent-Length: 1\r\n\r\nx", http.StatusBadRequest},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", s.url)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(5 * time.Second))
			io.WriteString(conn, strings.Replace(handshake, tt.old, tt.new, 1))
			p := &peer{Conn: conn}
			res, err := http.ReadResponse(p.reader(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != tt.want {
				t.Errorf("status %d, want %d", res.StatusCode, tt.want)
			}
		})
	}
}
