package proxy_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"syscall"
	"testing"

	"gatehouse.dev/internal/gateway/canonical"
	"gatehouse.dev/internal/gateway/hygiene"
	"gatehouse.dev/internal/gateway/proxy"
	"gatehouse.dev/internal/gateway/upstream"
)

type bufferPool struct{ sync.Pool }

func (p *bufferPool) Get() []byte  { return *p.Pool.Get().(*[]byte) }
func (p *bufferPool) Put(b []byte) { p.Pool.Put(&b) }

// BenchmarkProxy compares this package with a bare ReverseProxy that has a
// buffer pool and as many idle connections, over loopback, with a client that
// costs next to nothing.
func BenchmarkProxy(b *testing.B) {
	for _, size := range []int{128, 64 << 10} {
		payload := bytes.Repeat([]byte("x"), size)
		backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(payload)))
			w.Header().Set("Content-Type", "application/json")
			w.Write(payload)
		}))
		b.Cleanup(backend.Close)
		target, err := url.Parse(backend.URL)
		if err != nil {
			b.Fatal(err)
		}
		bare := &httputil.ReverseProxy{
			Rewrite:    func(r *httputil.ProxyRequest) { r.SetURL(target); r.SetXForwarded() },
			BufferPool: &bufferPool{sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}},
			Transport:  &http.Transport{MaxIdleConnsPerHost: 512, DisableCompression: true},
		}
		pool, err := upstream.New(upstream.Config{Name: "b", Addresses: []string{backend.URL}})
		if err != nil {
			b.Fatal(err)
		}
		ours := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			path, err := canonical.Parse(r.URL.EscapedPath())
			if err != nil {
				b.Error(err)
			}
			header := (&hygiene.Rules{}).Request(r)
			header["X-Forwarded-For"] = []string{"127.0.0.1"}
			if _, err := proxy.Serve(r.Context(), w, r, &proxy.Exchange{Upstream: pool, Path: path, Header: header}); err != nil {
				b.Error(err)
			}
		})
		b.Run(fmt.Sprintf("bare/%d", size), func(b *testing.B) { drive(b, bare, size) })
		b.Run(fmt.Sprintf("ours/%d", size), func(b *testing.B) { drive(b, ours, size) })
	}
}

func drive(b *testing.B, h http.Handler, size int) {
	front := httptest.NewServer(h)
	defer front.Close()
	request := []byte("GET /v2.0/site/17?page=2 HTTP/1.1\r\nHost: gate.example\r\nUser-Agent: bench\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n\r\n")
	b.ReportAllocs()
	b.SetParallelism(16)
	before := cpu(b)
	defer func() { b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op") }()
	b.RunParallel(func(pb *testing.PB) {
		c, err := net.Dial("tcp", front.Listener.Addr().String())
		if err != nil {
			b.Error(err)
			return
		}
		defer c.Close()
		in := bufio.NewReader(c)
		for pb.Next() {
			c.Write(request)
			for { // the header ends with an empty line
				line, err := in.ReadSlice('\n')
				if err != nil {
					b.Error(err)
					return
				}
				if len(line) == 2 {
					break
				}
			}
			if _, err := io.CopyN(io.Discard, in, int64(size)); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// cpu is what the process has used. On a machine that others use, too, it says
// more than the time that has passed.
func cpu(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
