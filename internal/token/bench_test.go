package token_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"fmt"
	"testing"
	"time"

	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/token"
)

// rs384 is a profile as the oldest protocol has it.
func rs384(n *node) *token.Profile {
	p := *plain(n)
	p.Alg = token.RS384
	return &p
}

// Issuing, with the store and all, beside signing alone: on every core, the
// ratio is to stay above 0.9.
func BenchmarkIssue(b *testing.B) {
	n := newHouse(b).newNode(b, token.KeysOptions{Wait: time.Minute})
	r := ask(n)
	r.Profile = rs384(n)
	n.issue(b, r)
	b.Run("RS384", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				n.issue(b, r)
			}
		})
	})
	k, err := rsa.GenerateKey(rand.Reader, token.RSABits)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("raw crypto/rsa", func(b *testing.B) {
		sum := sha512.Sum384([]byte("x"))
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := rsa.SignPKCS1v15(nil, k, crypto.SHA384, sum[:]); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}

// Believing a token that nobody remembers, the look for its revocation
// included.
func BenchmarkVerifyJWT(b *testing.B) {
	for _, alg := range []token.Alg{token.RS384, token.ES256} {
		b.Run(string(alg), func(b *testing.B) {
			n := newHouse(b).newNode(b, token.KeysOptions{Wait: time.Minute})
			r := ask(n)
			r.Profile = rs384(n)
			r.Profile.Alg = alg
			var toks []secret.Text
			claims := r.Claims
			for i := range 100 {
				r.Claims = func(issued, expires time.Time) []token.Claim {
					return append(claims(issued, expires), token.Claim{Name: "jti", Value: fmt.Sprint(i)})
				}
				toks = append(toks, n.issue(b, r).Token)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := n.verify(b, r.Profile, toks[i%len(toks)]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
