package acqueon

import (
	"context"
	"encoding/base64"
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

// An initialization, which is the dearest message, takes a turn as well.
func TestInitializationInTurn(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{})
	c := r.mustDial(t, PathTransmitter, "PerformanceMetrics_ada_1", base64.StdEncoding.EncodeToString([]byte("ak:sk")))
	if m, closed := c.next(t); m.MessageType != "OpenID" {
		t.Fatal(m, closed)
	}
	var leave []func()
	for taken := true; taken; {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		l, err := r.sv.Turns.Enter(ctx, "others")
		if taken = err == nil; taken {
			leave = append(leave, l)
		}
		cancel()
	}
	c.initialise(t)
	for deadline := time.Now().Add(5 * time.Second); r.sv.Turns.Waiting() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the initialization waits for no turn")
		}
	}
	for _, l := range leave {
		l()
	}
	if m, closed := c.next(t); m.Data == "" || closed != "" {
		t.Errorf("%+v %s, want the list of reports", m, closed)
	}
}
