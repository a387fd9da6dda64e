package gate_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"

	"gatehouse.dev/internal/gate"
	"gatehouse.dev/internal/gateway"
)

// BenchmarkGate compares a request through the whole gate, believed, allowed
// and stated, with a bare ReverseProxy that asks nobody; and a forward-auth
// answer with a handler that does nothing.
func BenchmarkGate(b *testing.B) {
	payload := bytes.Repeat([]byte("x"), 128)
	s := newSite(b, options{
		routes: []gateway.Route{route("all", "/", accepting(gateway.Key, gateway.Basic))}, proxies: loopback,
		handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Write(payload)
		}),
	})
	ada := s.caller("ada", "test/reader")
	target, err := url.Parse(s.backend.URL)
	s.must(err)
	bare := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:    func(r *httputil.ProxyRequest) { r.SetURL(target); r.SetXForwarded() },
		BufferPool: &bufferPool{sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}},
		Transport:  &http.Transport{MaxIdleConnsPerHost: 512, DisableCompression: true},
	})
	b.Cleanup(bare.Close)
	nothing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) }))
	b.Cleanup(nothing.Close)

	key := "X-API-Key: " + ada.Text.Reveal() + "\r\n"
	ask := key + "X-Original-URI: /reports/17?page=2\r\nX-Original-Method: GET\r\n"
	b.Run("proxy/bare", func(b *testing.B) { drive(b, bare.Listener.Addr().String(), "/reports/17?page=2", key, 200) })
	b.Run("proxy/gate", func(b *testing.B) { drive(b, s.addr, "/reports/17?page=2", key, 200) })
	b.Run("forward-auth/bare", func(b *testing.B) { drive(b, nothing.Listener.Addr().String(), gate.PathForwardAuth, ask, 204) })
	b.Run("forward-auth/gate", func(b *testing.B) { drive(b, s.addr, gate.PathForwardAuth, ask, 204) })
}

type bufferPool struct{ sync.Pool }

func (p *bufferPool) Get() []byte  { return *p.Pool.Get().(*[]byte) }
func (p *bufferPool) Put(b []byte) { p.Pool.Put(&b) }

// drive asks over 32 connections with a client that costs next to nothing. On
// a machine that others use, too, the processor's time says more than the
// clock's.
func drive(b *testing.B, addr, path, headers string, status int) {
	request := []byte("GET " + path + " HTTP/1.1\r\nHost: gate.example\r\nUser-Agent: bench\r\nAccept: */*\r\n" + headers + "\r\n")
	b.ReportAllocs()
	b.SetParallelism(16)
	before := cpu(b)
	defer func() { b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op") }()
	b.RunParallel(func(pb *testing.PB) {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			b.Error(err)
			return
		}
		defer c.Close()
		in := bufio.NewReader(c)
		for pb.Next() {
			c.Write(request)
			if err := readAnswer(in, status); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func readAnswer(in *bufio.Reader, status int) error {
	length := 0
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && (len(line) < 12 || int(line[9]-'0')*100+int(line[10]-'0')*10+int(line[11]-'0') != status) {
			return io.ErrUnexpectedEOF
		}
		if len(line) == 2 {
			break
		}
		if rest, ok := strings.CutPrefix(string(line), "Content-Length: "); ok {
			for _, d := range strings.TrimSpace(rest) {
				length = length*10 + int(d-'0')
			}
		}
	}
	_, err := in.Discard(length)
	return err
}

func cpu(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
