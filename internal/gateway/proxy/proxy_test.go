package proxy_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/gateway/proxy"
)

// overWires runs a test over each wire to the backend.
func overWires(t *testing.T, test func(t *testing.T, wire string)) {
	for _, wire := range wires {
		t.Run(wire, func(t *testing.T) {
			t.Parallel()
			test(t, wire)
		})
	}
}

func TestRequestArrivesUnchanged(t *testing.T) {
	t.Parallel()
	overWires(t, func(t *testing.T, wire string) {
		type seen struct {
			Method, URI, Host, Body, Type, Agent string
			Length                               int64
		}
		var got seen
		pool := newBackend(t, wire, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			got = seen{r.Method, r.RequestURI, r.Host, string(b), r.Header.Get("Content-Type"), r.UserAgent(), r.ContentLength}
			w.Header().Add("Set-Cookie", "a=1")
			w.Header().Add("Set-Cookie", "b=2")
			w.Header().Set("Gatehouse-Identity", "reflected")
			w.WriteHeader(http.StatusTeapot)
			io.WriteString(w, "short and stout")
		}))
		f := newFront(t, pool, proxy.Exchange{})
		req, _ := http.NewRequest("PATCH", f.URL+"/caf%c3%a9/a+b?x=%2f&&y", strings.NewReader("payload"))
		req.Host = "api.example"
		req.Header = http.Header{"Content-Type": {"text/x"}, "User-Agent": {"tester"}}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		want := seen{"PATCH", "/caf%C3%A9/a+b?x=%2f&&y", "api.example", "payload", "text/x", "tester", 7}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("request (-want +got):\n%s", diff)
		}
		if res.StatusCode != 418 || string(body) != "short and stout" || len(res.Header["Set-Cookie"]) != 2 || res.Header.Get("Gatehouse-Identity") != "" {
			t.Errorf("answer %d %q %v", res.StatusCode, body, res.Header)
		}
		if err := f.outcome(t); err != nil {
			t.Error(err)
		}
	})
}

// TestManyExchanges makes sure that connections are reused and bodies of all
// shapes stay apart from each other.
func TestManyExchanges(t *testing.T) {
	t.Parallel()
	overWires(t, func(t *testing.T, wire string) {
		var peers sync.Map
		pool := newBackend(t, wire, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			peers.Store(r.RemoteAddr, true)
			b, _ := io.ReadAll(r.Body)
			switch r.URL.Query().Get("as") {
			case "stream":
				w.(http.Flusher).Flush()
			case "empty":
				w.WriteHeader(204)
				return
			}
			w.Write(b)
		}))
		f := newFront(t, pool, proxy.Exchange{})
		for i := range 60 {
			payload := bytes.Repeat([]byte{byte('a' + i%26)}, i*i*20)
			var in io.Reader = bytes.NewReader(payload)
			if i%3 == 0 {
				in = io.MultiReader(in) // of unknown length: chunked
			}
			as := []string{"plain", "stream", "empty", "head"}[i%4]
			method := "POST"
			if as == "head" {
				method, in = "HEAD", nil
			}
			req, _ := http.NewRequest(method, f.URL+"/?as="+as, in)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(res.Body)
			res.Body.Close()
			want := payload
			if as == "empty" || as == "head" {
				want = nil
			}
			if err != nil || !bytes.Equal(b, want) {
				t.Fatalf("exchange %d %s: %d bytes, want %d, %v", i, as, len(b), len(want), err)
			}
		}
		n := 0
		peers.Range(func(any, any) bool { n++; return true })
		if n > 3 { // one, but for a body that was not yet known to be sent
			t.Errorf("%d connections for exchanges one after the other", n)
		}
	})
}

func TestTrailersBothWays(t *testing.T) {
	t.Parallel()
	overWires(t, func(t *testing.T, wire string) {
		var got http.Header
		pool := newBackend(t, wire, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Trailer", "X-Sum, Gatehouse_identity")
			io.Copy(w, r.Body)
			got = r.Trailer.Clone()
			w.Header().Set("X-Sum", "out")
			w.Header().Set("Gatehouse_identity", "reflected")
			w.Header().Set(http.TrailerPrefix+"X-Late", "unannounced")
		}))
		f := newFront(t, pool, proxy.Exchange{})
		req, _ := http.NewRequest("POST", f.URL, io.MultiReader(strings.NewReader("body")))
		req.Trailer = http.Header{"X-Sum": {"in"}, "Gatehouse-Identity": {"forged"}, "Authorization": {"x"}, "Gatehouse_identity": {"forged"}}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		if string(b) != "body" {
			t.Errorf("body %q", b)
		}
		if diff := cmp.Diff(http.Header{"X-Sum": {"in"}}, got); diff != "" {
			t.Errorf("request trailers (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(http.Header{"X-Sum": {"out"}, "X-Late": {"unannounced"}}, res.Trailer); diff != "" {
			t.Errorf("answer trailers (-want +got):\n%s", diff)
		}
	})
}

func TestInformationalAnswers(t *testing.T) {
	t.Parallel()
	overWires(t, func(t *testing.T, wire string) {
		pool := newBackend(t, wire, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "</style.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Del("Link")
			w.Header().Set("X-Final", "yes")
			w.WriteHeader(200)
		}))
		f := newFront(t, pool, proxy.Exchange{})
		var hints []string
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
				hints = append(hints, fmt.Sprint(code, " ", h.Get("Link")))
				return nil
			},
		})
		req, _ := http.NewRequestWithContext(ctx, "GET", f.URL, nil)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"103 </style.css>; rel=preload"}, hints); diff != "" {
			t.Errorf("hints (-want +got):\n%s", diff)
		}
		if res.Header.Get("Link") != "" || res.Header.Get("X-Final") != "yes" {
			t.Errorf("final answer has %v", res.Header)
		}
	})
}

// TestExpectContinue: a backend that refuses before it has seen the body must
// spare the caller from sending it.
func TestExpectContinue(t *testing.T) {
	t.Parallel()
	overWires(t, func(t *testing.T, wire string) {
		pool := newBackend(t, wire, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/refuse" {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			b, _ := io.ReadAll(r.Body)
			w.Write(b)
		}))
		f := newFront(t, pool, proxy.Exchange{})
		c, in := f.raw(t)
		fmt.Fprint(c, "POST /take HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
		if line, _ := in.ReadString('\n'); line != "HTTP/1.1 100 Continue\r\n" {
			t.Fatalf("first line %q", line)
		}
		in.ReadString('\n')
		fmt.Fprint(c, "data")
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(res.Body); string(b) != "data" {
			t.Errorf("body %q", b)
		}
		if wire != "http/1.1" {
			return // over HTTP/2 the body may be asked for at once
		}
		c, in = f.raw(t)
		fmt.Fprint(c, "POST /refuse HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
		if line, _ := in.ReadString('\n'); line != "HTTP/1.1 403 Forbidden\r\n" {
			t.Errorf("first line %q: the body was asked for", line)
		}
	})
}

func TestHeadersTheGateAdds(t *testing.T) {
	t.Parallel()
	overWires(t, func(t *testing.T, wire string) {
		var got http.Header
		pool := newBackend(t, wire, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got = r.Header.Clone()
			w.Header().Set("Access-Control-Allow-Origin", "*")
		}))
		f := newFront(t, pool, proxy.Exchange{Amend: func(h http.Header) { h.Set("Access-Control-Allow-Origin", "https://a") }})
		req, _ := http.NewRequest("GET", f.URL, nil)
		req.Header = http.Header{"Gatehouse-Identity": {"forged"}, "GATEHOUSE_IDENTITY": {"forged"}, "User-Agent": {""}, "Connection": {"X-Gone"}, "X-Gone": {"1"}}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got.Del("Accept-Encoding")
		if diff := cmp.Diff(http.Header{}, got); diff != "" {
			t.Errorf("headers (-want +got):\n%s", diff)
		}
		if v := res.Header["Access-Control-Allow-Origin"]; len(v) != 1 || v[0] != "https://a" {
			t.Errorf("amended header = %v", v)
		}
	})
}

func TestHostIsSetWhenAsked(t *testing.T) {
	t.Parallel()
	pool := newBackend(t, "http/1.1", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host) }))
	f := newFront(t, pool, proxy.Exchange{Host: "backend.internal"})
	res, err := http.Get(f.URL)
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(res.Body); string(b) != "backend.internal" {
		t.Errorf("host %q", b)
	}
}
