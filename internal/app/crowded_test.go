package app

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"gatehouse.dev/internal/gateway/forwarded"
)

// TestPerSource: a source with enough connections gets no more, others do, and
// one that is closed makes room.
func TestPerSource(t *testing.T) {
	t.Parallel()
	proxy := netip.MustParsePrefix("127.0.0.3/32")
	d := openTestDoor(t, http.NotFoundHandler(), func(o *doorOptions) {
		o.limits.ConnectionsPerSource = 2
		o.trust = forwarded.Trust{Proxies: []netip.Prefix{proxy}}
	})
	var opened []net.Conn
	served := func(ip string) bool {
		t.Helper()
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
		c, err := dialer.DialContext(t.Context(), "tcp", d.listener.Addr().String())
		if err != nil {
			return false // closed as soon as it was there
		}
		t.Cleanup(func() { c.Close() })
		opened = append(opened, c)
		c.SetDeadline(time.Now().Add(10 * time.Second))
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		return err == nil && res.StatusCode == http.StatusNotFound
	}
	for range 2 {
		if !served("127.0.0.1") {
			t.Error("not served within the limit")
		}
	}
	if served("127.0.0.1") {
		t.Error("served beyond the limit")
	}
	if n := d.turnedAway(); n != 1 {
		t.Errorf("%d were turned away, want 1", n)
	}
	if !served("127.0.0.2") {
		t.Error("another source is not served")
	}
	for range 3 {
		if !served("127.0.0.3") {
			t.Error("a trusted proxy is counted")
		}
	}
	opened[0].Close()
	for deadline := time.Now().Add(10 * time.Second); !served("127.0.0.1"); {
		if time.Now().After(deadline) {
			t.Fatal("a closed connection still counts")
		}
	}
}
