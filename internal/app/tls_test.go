package app_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"gatehouse.dev/internal/app/apptest"
)

// writeCertificate puts a self-signed pair into dir.
func writeCertificate(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// TestTLS serves HTTP/2 and sockets under TLS, and takes up a new certificate
// under a socket that stays open.
func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := writeCertificate(t, dir, "first")
	h := apptest.Start(t, apptest.Options{Cert: cert, Key: key})
	secret := h.Admin.Credential(t, h.Admin.Client(t, "pump", "ayyeka/operator"), "api_key", "").Secret

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.Gate+"/files/x?lines=3", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-Key", secret)
	res, err := apptest.Trusting.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK || res.ProtoMajor != 2 {
		t.Errorf("download: %s %s, want 200 over HTTP/2", res.Status, res.Proto)
	}

	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	conn, _, err := websocket.Dial(ctx, "wss"+strings.TrimPrefix(h.Gate, "https")+"/echo", &websocket.DialOptions{
		HTTPHeader: http.Header{"X-API-Key": {secret}},
		HTTPClient: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	hear(ctx, t, conn, "before")

	writeCertificate(t, dir, "second")
	for shownName(t, h.Gate) != "second" {
		if ctx.Err() != nil {
			t.Fatal("the new certificate was not taken up")
		}
		time.Sleep(100 * time.Millisecond)
	}
	hear(ctx, t, conn, "after")
}

func hear(ctx context.Context, t *testing.T, conn *websocket.Conn, word string) {
	t.Helper()
	if err := conn.Write(ctx, websocket.MessageText, []byte(word)); err != nil {
		t.Fatal(err)
	}
	if _, got, err := conn.Read(ctx); err != nil || string(got) != word {
		t.Fatalf("said %q, heard %q, %v", word, got, err)
	}
}

// shownName is the name in the certificate that a new connection sees.
func shownName(t *testing.T, url string) string {
	t.Helper()
	c, err := tls.Dial("tcp", strings.TrimPrefix(url, "https://"), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].Subject.CommonName
}
