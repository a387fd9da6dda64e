package adminapi_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse.dev/internal/adminapi"
	"gatehouse.dev/internal/admintest"
)

func socketClient(path string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}
}

func TestSocket(t *testing.T) {
	t.Parallel()
	in := admintest.New(t)
	in.ServeSocket(in.Data)
	path := filepath.Join(in.Data, adminapi.SocketName)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket: %v, %v", info.Mode(), err)
	}
	c := socketClient(path)
	get := func(path string) string {
		t.Helper()
		resp, err := c.Get("http://gatehouse" + adminapi.Base + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%s: %d %s %v", path, resp.StatusCode, b, err)
		}
		return string(b)
	}
	if self := get("/v1/self"); !strings.Contains(self, `"principal":"local"`) || !strings.Contains(self, `"installation":true`) {
		t.Errorf("self: %s", self)
	}
	get("/v1/tenants")

	// A policy that denies everything can be mended from here.
	root := as{t, in.Handler, in.Admin(in.Default, "root", "gatehouse/installation")}
	root.do("PUT", "/v1/policy", m{"version": 0, "cedar": "forbid (principal, action, resource);"}).want(200)
	root.do("GET", "/v1/policy", nil).want(403)
	if p := get("/v1/policy"); !strings.Contains(p, "forbid") {
		t.Errorf("policy: %s", p)
	}
	resp, err := c.Post("http://gatehouse/api/v1/users", "application/json", strings.NewReader(`{"name":"ada"}`))
	if err != nil || resp.StatusCode != 201 {
		t.Fatal(resp, err)
	}
	resp.Body.Close()
	if e := get("/v1/audit?action=principal.create&actor=local"); !strings.Contains(e, `"method":"local"`) {
		t.Errorf("audit: %s", e)
	}
}

// What comes over TCP is never taken for the socket, whatever it says.
func TestTCPIsNotTheSocket(t *testing.T) {
	t.Parallel()
	in := admintest.New(t)
	base := in.Serve()
	req, err := http.NewRequestWithContext(t.Context(), "GET", base+"/v1/self", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Forwarded-For", "unix")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 401 {
		t.Errorf("status = %d, want 401", resp.StatusCode)
	}
}

func TestListenSocketReplacesOnlySockets(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "admin.sock")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err := adminapi.ListenSocket(path); err == nil {
		l.Close()
		t.Fatal("a file was replaced")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		l, err := adminapi.ListenSocket(path)
		if err != nil {
			t.Fatal(err)
		}
		l.(*net.UnixListener).SetUnlinkOnClose(false) // as after a kill
		l.Close()
	}
}

func TestLongSocketPath(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), strings.Repeat("d", 100), "admin.sock")
	if _, err := adminapi.ListenSocket(path); err == nil || !strings.Contains(err.Error(), "shorter data folder") {
		t.Errorf("error = %v", err)
	}
}

func TestServeSocketEnds(t *testing.T) {
	t.Parallel()
	l, err := adminapi.ListenSocket(filepath.Join(t.TempDir(), "admin.sock"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- adminapi.ServeSocket(ctx, l, http.NotFoundHandler(), slog.New(slog.DiscardHandler)) }()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
