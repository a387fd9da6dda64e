package gate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse.dev/internal/gate"
	"gatehouse.dev/internal/gateway/forwarded"
)

// startNginx runs nginx with the configuration that the documentation shows,
// in front of a site, and returns its URL.
func startNginx(t *testing.T, s *site) string {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		program = "/usr/sbin/nginx"
	}
	if _, err := os.Stat(program); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("nginx is missing: install the Debian package nginx-light")
		}
		t.Skip("nginx is missing: install the Debian package nginx-light")
	}
	doc, err := os.ReadFile("../../docs/forward-auth.md")
	s.must(err)
	_, server, _ := strings.Cut(string(doc), "```nginx\n")
	server, _, ok := strings.Cut(server, "```")
	if !ok {
		t.Fatal("the documentation has no block for nginx")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	addr := l.Addr().String()
	l.Close()
	for from, to := range map[string]string{
		"127.0.0.1:8000": addr, "127.0.0.1:8080": s.addr, "127.0.0.1:9000": strings.TrimPrefix(s.backend.URL, "http://"),
	} {
		if !strings.Contains(server, from) {
			t.Fatalf("the documentation does not name %s", from)
		}
		server = strings.ReplaceAll(server, from, to)
	}
	dir := t.TempDir()
	conf := fmt.Sprintf(`
daemon off;
master_process off;
pid %[1]s/pid;
error_log stderr warn;
events { worker_connections 256; }
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	%[2]s
}`, dir, server)
	file := filepath.Join(dir, "nginx.conf")
	s.must(os.WriteFile(file, []byte(conf), 0o600))
	cmd := exec.Command(program, "-p", dir, "-e", "stderr", "-c", file)
	var log bytes.Buffer
	cmd.Stderr = &log
	s.must(cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("nginx says:\n%s", &log)
		}
	})
	waitFor(t, "nginx", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return "http://" + addr
}

// TestNginx protects pages with auth_request.
func TestNginx(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{
		routes:  routesCopy(),
		proxies: forwarded.Trust{Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}},
	})
	ada := s.caller("ada", "test/reader")
	url := startNginx(t, s)
	ask := func(path string, h http.Header) (int, got) {
		req, err := http.NewRequest("GET", url+path, nil)
		s.must(err)
		req.Header = h
		res, err := http.DefaultTransport.RoundTrip(req)
		s.must(err)
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		var g got
		if res.StatusCode == 200 {
			s.must(json.Unmarshal(body, &g))
		}
		return res.StatusCode, g
	}
	for name, c := range map[string]struct {
		path   string
		header http.Header
		want   int
		who    string
	}{
		"nobody":             {"/pages/x", http.Header{}, 401, ""},
		"ada":                {"/pages/x", ada.key(), 200, "ada"},
		"ada, forged":        {"/pages/x", with(ada.key(), "Gatehouse-Identity", "forged"), 200, "ada"},
		"ada, not a writer":  {"/writers/x", ada.key(), 403, ""},
		"open":               {"/open/x", http.Header{}, 200, ""},
		"open, forged":       {"/open/x", http.Header{"Gatehouse-Identity": {"forged"}}, 200, ""},
		"way up":             {"/open/../pages/x", http.Header{}, 403, ""},
		"way up, escaped":    {"/open/%2e%2e/pages/x", http.Header{}, 403, ""},
		"forged URI":         {"/pages/x", http.Header{"X-Original-Uri": {"/open/x"}}, 401, ""},
		"forged URI, method": {"/pages/x", http.Header{"X-Original-Uri": {"/open/x"}, "X-Original-Method": {"GET"}}, 401, ""},
		"forged other URI":   {"/pages/x", http.Header{"X-Forwarded-Uri": {"/open/x"}}, 403, ""},
		"forged host":        {"/pages/x", http.Header{"X-Forwarded-Host": {"other.example"}}, 401, ""},
		"forged proxy":       {"/pages/x", http.Header{"X-Forwarded-For": {"127.0.0.1"}}, 401, ""},
	} {
		t.Run(name, func(t *testing.T) {
			status, g := ask(c.path, c.header)
			if status != c.want {
				t.Errorf("%d, want %d", status, c.want)
			}
			who := ""
			if g.Identity != nil {
				who = g.Identity.Name
			}
			if who != c.who || strings.Contains(fmt.Sprint(g.Header), ada.Text.Reveal()) {
				t.Errorf("the backend got %+v, identity %v", g.Header, g.Identity)
			}
		})
	}
	if before := s.backend.requests(); before != 4 {
		t.Errorf("%d requests reached the backend, want 4", before)
	}
	s.revoke(ada)
	if status, _ := ask("/pages/x", ada.key()); status != 401 {
		t.Errorf("after revocation: %d", status)
	}

	// From outside, past nginx: the gate does not answer the question at all.
	outside := http.Transport{DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, Timeout: 5 * time.Second}).DialContext}
	defer outside.CloseIdleConnections()
	req, err := http.NewRequest("GET", s.url+gate.PathForwardAuth, nil)
	s.must(err)
	req.Header = http.Header{"X-Original-Uri": {"/open/x"}, "X-Original-Method": {"GET"}}
	res, err := outside.RoundTrip(req)
	s.must(err)
	res.Body.Close()
	if res.StatusCode != 404 {
		t.Errorf("forged question from outside: %d", res.StatusCode)
	}
}
