package tlsfiles

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// files writes a self-signed pair under a name and returns where it lies.
func files(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		DNSNames:     []string{"localhost"},
		NotBefore:    time.Unix(0, 0), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	der8, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	write(t, cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write(t, key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der8}))
	return cert, key
}

func write(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func shown(t *testing.T, p *Pair) string {
	t.Helper()
	c, err := p.Config().GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf.Subject.CommonName
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := files(t, dir, "a")
	if _, err := Open(cert, filepath.Join(dir, "none"), slog.Default()); err == nil {
		t.Error("a missing key was accepted")
	}
	other, _ := files(t, t.TempDir(), "b")
	if _, err := Open(other, key, slog.Default()); err == nil {
		t.Error("a key that does not fit was accepted")
	}
}

func TestReload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := files(t, dir, "a")
	p, err := Open(cert, key, slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	good, _ := os.ReadFile(cert)
	step := func(name, want string, wantChanged, wantErr bool) {
		t.Helper()
		changed, err := p.Reload()
		if changed != wantChanged || (err != nil) != wantErr {
			t.Errorf("%s: changed %v, error %v", name, changed, err)
		}
		if got := shown(t, p); got != want {
			t.Errorf("%s: shows %s, want %s", name, got, want)
		}
	}
	step("nothing changed", "a", false, false)

	write(t, cert, []byte("garbage"))
	step("broken", "a", false, true)
	step("still broken, told once", "a", false, false)

	if err := os.Remove(cert); err != nil {
		t.Fatal(err)
	}
	step("gone", "a", false, true)
	step("still gone, told once", "a", false, false)

	write(t, cert, good)
	step("mended with the same", "a", false, false)

	files(t, dir, "b")
	step("renewed", "b", true, false)
}

// TestConnectionsSurvive renews the certificate under a connection that stands:
// it goes on, and the next one sees the new certificate.
func TestConnectionsSurvive(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := files(t, dir, "a")
	p, err := Open(cert, key, slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", p.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go echo(l)

	first, name := dial(t, l.Addr())
	if name != "a" {
		t.Fatalf("first connection saw %s", name)
	}
	say(t, first, "before")
	files(t, dir, "b")
	if changed, err := p.Reload(); !changed || err != nil {
		t.Fatalf("reload: %v, %v", changed, err)
	}
	say(t, first, "after")
	if _, name := dial(t, l.Addr()); name != "b" {
		t.Errorf("second connection saw %s, want b", name)
	}
}

func echo(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			lines := bufio.NewScanner(c)
			for lines.Scan() {
				fmt.Fprintln(c, lines.Text())
			}
		}()
	}
}

func dial(t *testing.T, addr net.Addr) (*tls.Conn, string) {
	t.Helper()
	c, err := tls.Dial("tcp", addr.String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, c.ConnectionState().PeerCertificates[0].Subject.CommonName
}

func say(t *testing.T, c net.Conn, word string) {
	t.Helper()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintln(c, word)
	got := make([]byte, len(word)+1)
	if _, err := c.Read(got); err != nil || strings.TrimSpace(string(got)) != word {
		t.Fatalf("said %q, heard %q, %v", word, got, err)
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := files(t, dir, "a")
	var out lockedBuffer
	p, err := Open(cert, key, slog.New(slog.NewTextHandler(&out, nil)))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go p.Watch(ctx, 5*time.Second)
		write(t, cert, []byte("garbage"))
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := strings.Count(out.String(), "the old one stays"); n != 1 {
			t.Errorf("told %d times of the broken certificate, want once:\n%s", n, out.String())
		}
		files(t, dir, "b")
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if shown(t, p) != "b" || !strings.Contains(out.String(), "took up a new certificate") {
			t.Errorf("shows %s after the renewal:\n%s", shown(t, p), out.String())
		}
	})
}

func TestCheck(t *testing.T) {
	t.Parallel()
	cert, key := files(t, t.TempDir(), "a")
	p, err := Open(cert, key, slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Check(t.Context()); err != nil {
		t.Errorf("a good certificate: %v", err)
	}
	p.now = func() time.Time { return p.Expires().Add(time.Second) }
	if err := p.Check(t.Context()); err == nil {
		t.Error("an expired certificate is healthy")
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
