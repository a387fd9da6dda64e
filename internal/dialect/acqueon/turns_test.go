package acqueon

import (
	"net/http"
	"testing"
	"time"
)

// A handshake takes its turn before anything is done for it, and gives it back
// whether a socket came of it or not.
func TestHandshakesInTurn(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{BeforeUpgrade: true})
	for range 20 { // more than there are turns
		if status := r.knock(t); status != http.StatusUnauthorized {
			t.Fatalf("a handshake without a credential is answered with %d, want 401", status)
		}
	}
	for range 80 {
		go r.sv.Turns.Enter(t.Context(), "others")
	}
	for r.sv.Turns.Waiting() < 64 {
		time.Sleep(time.Millisecond)
	}
	if status := r.knock(t); status == http.StatusUnauthorized {
		t.Error("a handshake is read while others have all turns")
	}
}

// knock asks for a socket without saying who it is, for half a second.
func (r *rig) knock(t *testing.T) (status int) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.host+PathConsole, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
	} {
		q.Header.Set(name, value)
	}
	c := http.Client{Timeout: 500 * time.Millisecond}
	res, err := c.Do(q)
	if err != nil {
		return 0
	}
	res.Body.Close()
	return res.StatusCode
}
