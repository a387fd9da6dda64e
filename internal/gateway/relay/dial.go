package relay

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gatehouse.dev/internal/gateway/canonical"
	"gatehouse.dev/internal/gateway/upstream"
)

const (
	// maxRefusal bounds what is read of a backend's answer that is not 101.
	maxRefusal = 64 << 10
	maxHeader  = 64 << 10
)

// Opening says what handshake to make with a backend.
type Opening struct {
	Upstream *upstream.Pool
	Path     canonical.Path
	Query    string
	Host     string        // empty: the address's own
	Header   http.Header   // cleaned, with what the gate adds; owned by the opening
	Timeout  time.Duration // for the whole handshake; 0: 15 s
}

// Peer is a backend that has agreed to speak WebSocket.
type Peer struct {
	conn     net.Conn
	early    []byte
	protocol string // subprotocol that it chose
	deflate  string // extension that it accepted
}

// Protocol is the subprotocol that it chose.
func (p *Peer) Protocol() string { return p.protocol }

// Close gives the connection up.
func (p *Peer) Close() error { return p.conn.Close() }

// Dial makes the handshake. A backend that answers something other than 101 is
// no error: its answer comes back, whole, to be passed on.
func Dial(ctx context.Context, o Opening) (*Peer, *http.Response, error) {
	if o.Timeout == 0 {
		o.Timeout = 15 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	conn, address, err := o.Upstream.Dial(ctx)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(past) })
	peer, res, err := o.handshake(conn, address)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if peer == nil || err != nil {
		conn.Close()
		if err != nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, res, err
	}
	return peer, nil, nil
}

func (o *Opening) handshake(conn net.Conn, address string) (*Peer, *http.Response, error) {
	key := base64.StdEncoding.EncodeToString(random16())
	req := &http.Request{
		Method: http.MethodGet,
		URL:    &url.URL{Scheme: "http", Host: address, Path: o.Path.Decoded, RawPath: o.Path.Escaped, RawQuery: o.Query},
		Host:   o.Host,
		Header: o.Header,
	}
	offers := deflateOffers(o.Header)
	if offers != "" {
		o.Header.Set("Sec-WebSocket-Extensions", offers)
	} else {
		o.Header.Del("Sec-WebSocket-Extensions")
	}
	o.Header.Set("Connection", "Upgrade")
	o.Header.Set("Upgrade", "websocket")
	o.Header.Set("Sec-WebSocket-Version", "13")
	o.Header.Set("Sec-WebSocket-Key", key)
	if err := req.Write(conn); err != nil {
		return nil, nil, fmt.Errorf("send handshake: %w", err)
	}
	limited := &io.LimitedReader{R: conn, N: maxHeader}
	in := bufio.NewReader(limited)
	res, err := http.ReadResponse(in, req)
	if err != nil {
		return nil, nil, fmt.Errorf("read handshake: %w", err)
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		if res.StatusCode < 200 {
			return nil, nil, errHandshake
		}
		limited.N = maxRefusal
		body, err := io.ReadAll(res.Body)
		if err != nil {
			return nil, nil, fmt.Errorf("read refusal: %w", err)
		}
		res.Body = io.NopCloser(strings.NewReader(string(body)))
		return nil, res, nil
	}
	p := &Peer{conn: conn, protocol: res.Header.Get("Sec-WebSocket-Protocol"), deflate: res.Header.Get("Sec-WebSocket-Extensions")}
	if !strings.EqualFold(res.Header.Get("Upgrade"), "websocket") || res.Header.Get("Sec-WebSocket-Accept") != accept(key) ||
		p.protocol != "" && !listed(o.Header["Sec-Websocket-Protocol"], p.protocol) ||
		p.deflate != "" && (offers == "" || !isDeflate(p.deflate) || strings.Contains(p.deflate, ",")) {
		return nil, nil, errHandshake
	}
	early, _ := in.Peek(in.Buffered())
	p.early = append([]byte(nil), early...)
	return p, nil, nil
}

var (
	errHandshake = errors.New("the backend's handshake is wrong")
	past         = time.Unix(1, 0)
)

// deflateOffers is what a caller offers of the one extension that can pass
// without being understood: it changes payloads, not frames (RFC 7692).
func deflateOffers(h http.Header) string {
	var offers []string
	for _, line := range h["Sec-Websocket-Extensions"] {
		for offer := range strings.SplitSeq(line, ",") {
			if isDeflate(offer) {
				offers = append(offers, strings.TrimSpace(offer))
			}
		}
	}
	return strings.Join(offers, ", ")
}

func isDeflate(extension string) bool {
	name, _, _ := strings.Cut(extension, ";")
	return strings.TrimSpace(name) == "permessage-deflate"
}

// listed reports whether a comma-separated list has the entry.
func listed(lines []string, entry string) bool {
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ",") {
			if strings.TrimSpace(part) == entry {
				return true
			}
		}
	}
	return false
}

// accept is the proof that a handshake was understood (RFC 6455, section
// 4.2.2). SHA-1 is what the protocol says; nothing rests on its strength.
func accept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func random16() []byte {
	b := make([]byte, 16)
	rand.Read(b)
	return b
}
