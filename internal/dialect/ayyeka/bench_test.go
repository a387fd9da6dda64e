package ayyeka_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"io"
	"net/http"
	"strings"
	"testing"

	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/dialect/ayyeka"
	"gatehouse.dev/internal/tenant"
	"gatehouse.dev/internal/token"
)

// BenchmarkSign is what issuing cannot be faster than: the signature alone.
func BenchmarkSign(b *testing.B) {
	key, err := rsa.GenerateKey(rand.Reader, token.RSABits)
	if err != nil {
		b.Fatal(err)
	}
	digest := sha512.Sum384([]byte("header.payload"))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := rsa.SignPKCS1v15(nil, key, crypto.SHA384, digest[:]); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkIssue is a whole token request over the network and the real store.
func BenchmarkIssue(b *testing.B) {
	h := newHouse(b)
	s := h.open(b, "192.0.2.1", ayyeka.Config{})
	c := h.newCaller(b, tenant.Default, credential.Spec{}, ayyeka.Operator)
	h.ask(b, s, c)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, s.base+"/auth/token", strings.NewReader("grant_type=client_credentials"))
			if err != nil {
				b.Error(err)
				return
			}
			req.SetBasicAuth(c.key(), c.secret())
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			res, err := client.Do(req)
			if err != nil {
				b.Error(err)
				return
			}
			io.Copy(io.Discard, res.Body)
			res.Body.Close()
			if res.StatusCode != http.StatusOK {
				b.Errorf("status = %d", res.StatusCode)
			}
		}
	})
}
