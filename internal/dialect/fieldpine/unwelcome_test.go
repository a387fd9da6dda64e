package fieldpine

import (
	"bufio"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// A source of many refused logins gets no new socket for a while (protocol
// description, 5.1).
func TestUnwelcome(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{PlainText: true})
	r.door.unwelcome.Store(int64(1500 * time.Millisecond))
	var after string
	dialer := ws.Dialer{OnStatusError: func(_ int, _ []byte, answer io.Reader) {
		if res, err := http.ReadResponse(bufio.NewReader(answer), nil); err == nil {
			after = res.Header.Get("Retry-After")
		}
	}}
	_, _, _, err := dialer.Dial(t.Context(), "ws://"+r.host+pathSocket)
	if err != ws.StatusError(http.StatusTooManyRequests) || after != "2" {
		t.Errorf("a socket for an unwelcome source: %v, Retry-After %q; want 429 and 2", err, after)
	}
	r.door.unwelcome.Store(0)
	conn, _, _, err := ws.Dial(t.Context(), "ws://"+r.host+pathSocket)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}
