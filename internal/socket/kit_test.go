package socket_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"gatehouse.dev/internal/socket"
)

// server accepts sockets of one kind and keeps what they say.
type server struct {
	url      string
	messages chan string // "text:…" or "binary:…", "ended: …" last
	conns    chan *socket.Conn
	handler  socket.Handler // instead of the server itself
}

func (s *server) Message(c *socket.Conn, text bool, payload []byte) {
	kind := "binary"
	if text {
		kind = "text"
	}
	s.messages <- kind + ":" + string(payload)
}

func (s *server) Ended(_ *socket.Conn, why error) { s.messages <- "ended: " + fmt.Sprint(why) }

func serve(t *testing.T, o socket.Options) *server {
	t.Helper()
	wheel := socket.NewWheel()
	go wheel.Run(t.Context())
	o.Wheel = wheel
	s := &server{messages: make(chan string, 64), conns: make(chan *socket.Conn, 64)}
	kind := socket.NewKind(o)
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status, problem := socket.Check(r); problem != "" {
			socket.Refuse(w, status, problem)
			return
		}
		c, err := kind.Accept(context.WithoutCancel(r.Context()), w, r, nil)
		if err != nil {
			return
		}
		if s.handler != nil {
			c.Start(s.handler)
		} else {
			c.Start(s)
		}
		s.conns <- c
	}))
	t.Cleanup(h.Close)
	s.url = h.Listener.Addr().String()
	return s
}

// peer is the other end, byte by byte.
type peer struct {
	net.Conn
	r *bufio.Reader
}

const handshake = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// dial opens a socket and sends early along with the handshake.
func (s *server) dial(t *testing.T, early string) *peer {
	t.Helper()
	conn, err := net.Dial("tcp", s.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(conn, handshake+early)
	p := &peer{conn, bufio.NewReader(conn)}
	res, err := http.ReadResponse(p.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("handshake answered %s, %v", res.Status, res.Header)
	}
	return p
}

func (p *peer) reader() *bufio.Reader {
	if p.r == nil {
		p.r = bufio.NewReader(p.Conn)
	}
	return p.r
}

// next describes the next frame: "text:hello", "close:1002 reason", "gone".
func (p *peer) next() string {
	f, err := readFrame(p.r)
	if err != nil {
		return "gone"
	}
	if f.Header.Masked {
		return "masked"
	}
	switch f.Header.OpCode {
	case ws.OpClose:
		if len(f.Payload) == 0 {
			return "close"
		}
		code, reason := ws.ParseCloseFrameData(f.Payload)
		return strings.TrimSpace(fmt.Sprintf("close:%d %s", code, reason))
	case ws.OpPing:
		return "ping:" + string(f.Payload)
	case ws.OpPong:
		return "pong:" + string(f.Payload)
	case ws.OpText:
		return "text:" + string(f.Payload)
	}
	return "binary:" + string(f.Payload)
}

func (p *peer) send(t *testing.T, frames ...string) {
	t.Helper()
	if _, err := io.WriteString(p, strings.Join(frames, "")); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Logf("write: %v", err)
	}
}

// Frames of a client, masked.
func frame(fin bool, op ws.OpCode, payload string) string {
	return raw(ws.Header{Fin: fin, OpCode: op, Masked: true, Mask: [4]byte{1, 2, 3, 4}, Length: int64(len(payload))}, payload)
}

func raw(h ws.Header, payload string) string {
	var b strings.Builder
	if err := ws.WriteHeader(&b, h); err != nil {
		panic(err)
	}
	data := []byte(payload)
	if h.Masked {
		ws.Cipher(data, h.Mask, 0)
	}
	b.Write(data)
	return b.String()
}

func text(s string) string { return frame(true, ws.OpText, s) }

func closing(code int, reason string) string {
	return frame(true, ws.OpClose, string([]byte{byte(code >> 8), byte(code)})+reason)
}

// readFrame reads a frame of a peer that this test trusts.
func readFrame(r io.Reader) (ws.Frame, error) {
	h, err := ws.ReadHeader(r)
	if err != nil {
		return ws.Frame{}, err
	}
	f := ws.Frame{Header: h, Payload: make([]byte, h.Length)}
	_, err = io.ReadFull(r, f.Payload)
	return f, err
}
