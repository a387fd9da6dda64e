package socket

import (
	"bufio"
	"encoding/base64"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gobwas/ws"
)

// handshakeTimeout bounds the writing of the 101 answer.
const handshakeTimeout = 10 * time.Second

// Check says what is wrong with an opening handshake (RFC 6455, 4.2.1), while
// an ordinary HTTP answer can still be given: the status, and "" when nothing is
// wrong.
func Check(r *http.Request) (status int, problem string) {
	switch {
	case r.Method != http.MethodGet:
		return http.StatusMethodNotAllowed, "a WebSocket is opened with GET"
	case r.ProtoMajor != 1 || r.ProtoMinor < 1:
		return http.StatusHTTPVersionNotSupported, "a WebSocket is opened over HTTP/1.1"
	case !hasToken(r.Header, "Connection", "upgrade") || !hasToken(r.Header, "Upgrade", "websocket"):
		return http.StatusUpgradeRequired, "this address speaks WebSocket: send Connection: Upgrade and Upgrade: websocket"
	case len(r.Header.Values("Sec-WebSocket-Version")) != 1 || r.Header.Get("Sec-WebSocket-Version") != "13":
		return http.StatusUpgradeRequired, "Sec-WebSocket-Version must be 13"
	case !validKey(r.Header.Values("Sec-WebSocket-Key")):
		return http.StatusBadRequest, "Sec-WebSocket-Key must be 16 bytes in base64"
	case r.ContentLength != 0:
		return http.StatusBadRequest, "an opening handshake has no body"
	}
	return http.StatusOK, ""
}

// Refuse answers a handshake that Check found wrong.
func Refuse(w http.ResponseWriter, status int, problem string) {
	switch status {
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", http.MethodGet)
	case http.StatusUpgradeRequired:
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Sec-WebSocket-Version", "13")
	}
	http.Error(w, problem, status)
}

func hasToken(h http.Header, name, token string) bool {
	for _, line := range h.Values(name) {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

func validKey(values []string) bool {
	if len(values) != 1 {
		return false
	}
	key, err := base64.StdEncoding.DecodeString(values[0])
	return err == nil && len(key) == 16
}

// upgrade takes the connection over and answers 101. Bytes that the peer sent
// too early come back as well.
func upgrade(w http.ResponseWriter, r *http.Request, header http.Header) (net.Conn, []byte, error) {
	u := ws.HTTPUpgrader{Timeout: handshakeTimeout, Header: header}
	conn, rw, _, err := u.Upgrade(r, w)
	if err != nil {
		if conn != nil {
			conn.Close()
		}
		return nil, nil, err
	}
	return conn, drain(rw.Reader), nil
}

func drain(r *bufio.Reader) []byte {
	early, _ := r.Peek(r.Buffered()) // what is buffered can be had
	return append([]byte(nil), early...)
}
