package nats_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"gatehouse.dev/internal/bus"
	"gatehouse.dev/internal/bus/nats"
	"gatehouse.dev/internal/bus/nats/natstest"
)

func write(t *testing.T, file string, text []byte) string {
	t.Helper()
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestLogin: each way in, first with the wrong secret in the file and then with
// the right one, which is read without a restart.
func TestLogin(t *testing.T) {
	t.Parallel()
	operator, account, creds := operatorMode(t)
	_, _, foreign := operatorMode(t)
	for name, c := range map[string]struct {
		server       func(*server.Options)
		wrong, right string
		options      func(file string) nats.Options
	}{
		"Token": {
			func(o *server.Options) { o.Authorization = "right" }, "wrong", "right\n",
			func(file string) nats.Options { return nats.Options{TokenFile: file} },
		},
		"Password": {
			func(o *server.Options) { o.Username, o.Password = "gatehouse", "right" }, "wrong", "right",
			func(file string) nats.Options { return nats.Options{User: "gatehouse", PasswordFile: file} },
		},
		"Credentials": {
			func(o *server.Options) {
				o.TrustedKeys = []string{operator}
				o.AccountResolver = account
			}, foreign, creds,
			func(file string) nats.Options { return nats.Options{CredentialsFile: file} },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := natstest.Start(t, c.server)
			file := write(t, filepath.Join(t.TempDir(), "secret"), []byte(c.wrong))
			o := c.options(file)
			o.URLs = []string{s.URL()}
			b := open(t, o)
			time.Sleep(300 * time.Millisecond) // some refusals; the client library would give up after two
			if b.Check() == nil {
				t.Error("connected with the wrong secret")
			}
			if said := b.Check(); said != nil && strings.Contains(said.Error(), c.wrong) {
				t.Errorf("the secret shows: %v", said)
			}
			write(t, file, []byte(c.right))
			await(t, "connected with the right one", func() bool { return b.Check() == nil })
		})
	}
	if _, err := nats.New(nats.Options{URLs: []string{"nats://127.0.0.1:1"}, TokenFile: "/nowhere"}); err == nil {
		t.Error("a file that is not there is no mistake")
	}
}

// operatorMode makes an operator with an account and a user's credentials.
func operatorMode(t *testing.T) (operator string, resolver server.AccountResolver, creds string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	op, err := nkeys.CreateOperator()
	must(err)
	acc, err := nkeys.CreateAccount()
	must(err)
	user, err := nkeys.CreateUser()
	must(err)
	operator, err = op.PublicKey()
	must(err)
	accKey, err := acc.PublicKey()
	must(err)
	userKey, err := user.PublicKey()
	must(err)
	accJWT, err := jwt.NewAccountClaims(accKey).Encode(op)
	must(err)
	userJWT, err := jwt.NewUserClaims(userKey).Encode(acc)
	must(err)
	seed, err := user.Seed()
	must(err)
	text, err := jwt.FormatUserConfig(userJWT, seed)
	must(err)
	resolver = &server.MemAccResolver{}
	must(resolver.Store(accKey, accJWT))
	return operator, resolver, string(text)
}

// TestTLS: TLS is spoken with whom we trust, showing our certificate, and never
// left out where it is demanded.
func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := certificate(t, dir)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pem, _ := os.ReadFile(cert)
	pool.AppendCertsFromPEM(pem)
	secure := natstest.Start(t, func(o *server.Options) {
		o.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
		o.TLSTimeout = 5
	})
	plain := natstest.Start(t)
	for name, c := range map[string]struct {
		o    nats.Options
		want bool
	}{
		"Trusted":         {nats.Options{URLs: []string{"tls://" + secure.Address()}, CAFile: cert, CertFile: cert, KeyFile: key}, true},
		"Unknown":         {nats.Options{URLs: []string{"tls://" + secure.Address()}, CertFile: cert, KeyFile: key}, false},
		"WithoutOurs":     {nats.Options{URLs: []string{"tls://" + secure.Address()}, CAFile: cert}, false},
		"DemandedByURL":   {nats.Options{URLs: []string{"tls://" + plain.Address()}}, false},
		"DemandedByFiles": {nats.Options{URLs: []string{"nats://" + plain.Address()}, CAFile: cert}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := open(t, c.o)
			if !c.want {
				time.Sleep(200 * time.Millisecond) // it must not happen later either
			}
			if err := b.Check(); (err == nil) != c.want {
				t.Errorf("connected: %v, want %v", err, c.want)
			}
		})
	}
}

func certificate(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, filepath.Join(dir, "cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		write(t, filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
}

// TestStall: a NATS that takes nothing any more, without hanging up, holds no
// publisher up for longer than the patience, and counts as lost.
func TestStall(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t)
	var stalled atomic.Bool
	via := proxy(t, s.Address(), &stalled)
	const patience = 300 * time.Millisecond
	b := open(t, nats.Options{URLs: []string{"nats://" + via}, Patience: patience})
	if err := b.Check(); err != nil {
		t.Fatal(err)
	}
	got := listen(t, b, "x")
	stalled.Store(true)
	var longest time.Duration
	for i := 0; b.Check() == nil && i < 200; i++ {
		began := time.Now()
		b.Publish(t.Context(), "big", make([]byte, bus.MaxData)) // ErrBusy or not: it comes back
		longest = max(longest, time.Since(began))
	}
	if b.Check() == nil {
		t.Fatal("200 MiB went into a connection that takes nothing")
	}
	if limit := 5 * patience; longest > limit {
		t.Errorf("a publisher was held up for %v, want no more than about %v", longest, patience)
	}
	publish(t, b, "x", "alone")
	if m := next(t, got); string(m.Data) != "alone" {
		t.Errorf("got %q", m.Data)
	}
	stalled.Store(false)
	await(t, "connected again", func() bool { return b.Check() == nil })
}

// proxy passes bytes on to an address until it is told to stall. Connections
// made meanwhile stall too.
func proxy(t *testing.T, to string, stalled *atomic.Bool) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	pass := func(to, from net.Conn) {
		defer to.Close()
		defer from.Close()
		buf := make([]byte, 4096)
		for {
			for stalled.Load() {
				time.Sleep(5 * time.Millisecond)
			}
			n, err := from.Read(buf)
			if err != nil {
				return
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			d, err := net.Dial("tcp", to)
			if err != nil {
				c.Close()
				continue
			}
			go pass(c, d)
			go pass(d, c)
		}
	}()
	return l.Addr().String()
}
