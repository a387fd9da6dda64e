package upstream

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// member is one address of a backend that can be stopped and started.
type member struct {
	*httptest.Server
	hits atomic.Int32
	sick atomic.Bool
}

func newMember(t testing.TB) *member {
	t.Helper()
	m := &member{}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" {
			if m.sick.Load() {
				w.WriteHeader(500)
			}
			return
		}
		m.hits.Add(1)
		b, _ := io.ReadAll(r.Body)
		w.Write(b)
	}))
	t.Cleanup(m.Close)
	return m
}

func refused(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

func newPool(t testing.TB, c Config) *Pool {
	t.Helper()
	c.Name, c.Logger = "b", slog.New(slog.DiscardHandler)
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.CloseIdle)
	return p
}

func send(t testing.TB, p *Pool, method, body string) (string, error) {
	t.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://x/", in)
	if err != nil {
		t.Fatal(err)
	}
	res, err := p.Send(req, nil)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return string(b), err
}

func TestTakesTurns(t *testing.T) {
	t.Parallel()
	a, b := newMember(t), newMember(t)
	p := newPool(t, Config{Addresses: []string{a.URL, b.URL}})
	for range 10 {
		if _, err := send(t, p, "GET", ""); err != nil {
			t.Fatal(err)
		}
	}
	if a.hits.Load() != 5 || b.hits.Load() != 5 {
		t.Errorf("%d and %d requests", a.hits.Load(), b.hits.Load())
	}
}

// TestMovesOn: an address that refuses costs no request, not even one with a
// body, and is avoided from then on.
func TestMovesOn(t *testing.T) {
	t.Parallel()
	for _, h2c := range []bool{false, true} {
		good := newMember(t)
		if h2c {
			good.Close()
			s := httptest.NewUnstartedServer(good.Config.Handler)
			s.Config.Protocols = new(http.Protocols)
			s.Config.Protocols.SetUnencryptedHTTP2(true)
			s.Start()
			t.Cleanup(s.Close)
			good.Server = s
		}
		p := newPool(t, Config{Addresses: []string{refused(t), good.URL, refused(t)}, H2C: h2c})
		for range 6 {
			if got, err := send(t, p, "POST", "body"); got != "body" || err != nil {
				t.Errorf("h2c %v: %q, %v", h2c, got, err)
			}
		}
		usable := 0
		for _, s := range p.Status() {
			if s.Usable {
				usable++
			}
		}
		if good.hits.Load() != 6 || usable != 1 {
			t.Errorf("h2c %v: %d requests arrived, %d addresses usable", h2c, good.hits.Load(), usable)
		}
	}
}

func TestAllRefuse(t *testing.T) {
	t.Parallel()
	p := newPool(t, Config{Addresses: []string{refused(t), refused(t)}})
	for range 3 { // also when all are known to be in trouble
		if _, err := send(t, p, "GET", ""); !errors.As(err, new(*DialError)) {
			t.Errorf("error = %v", err)
		}
	}
}

// TestNeverSentTwice: once a byte may have arrived, another address is not
// asked.
func TestNeverSentTwice(t *testing.T) {
	t.Parallel()
	var received atomic.Int32
	var addresses []string
	for range 2 {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			received.Add(1)
			panic(http.ErrAbortHandler)
		}))
		t.Cleanup(s.Close)
		addresses = append(addresses, s.URL)
	}
	p := newPool(t, Config{Addresses: addresses})
	for i, body := range []string{"x", ""} {
		if _, err := send(t, p, "POST", body); err == nil || int(received.Load()) != i+1 {
			t.Errorf("error %v after %d requests", err, received.Load())
		}
	}
}

func TestAvoidanceGrowsAndEnds(t *testing.T) {
	t.Parallel()
	a := &address{}
	now := time.Now()
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		if !a.bad(suspicion, now) {
			t.Fatal("trouble was not enough")
		}
		if got := a.until.Sub(now); got != want*time.Second {
			t.Errorf("avoided for %v, want %v s", got, int(want))
		}
		if a.usable(now) {
			t.Error("usable while avoided")
		}
		now = a.until
		if !a.usable(now) {
			t.Error("avoided beyond its time")
		}
	}
	a.good()
	first, second := a.bad(1, now), a.bad(1, now)
	if first || second || !a.usable(now) {
		t.Error("two doubtful failures are enough")
	}
	if !a.bad(1, now) || a.until.Sub(now) != time.Second {
		t.Error("three doubtful failures are not enough, or success is not forgotten")
	}
}

func TestActiveChecks(t *testing.T) {
	t.Parallel()
	a, b := newMember(t), newMember(t)
	p := newPool(t, Config{Addresses: []string{a.URL, b.URL}, Health: Health{Path: "/health"}})
	a.sick.Store(true)
	p.CheckAll(t.Context())
	for range 4 {
		send(t, p, "GET", "")
	}
	if a.hits.Load() != 0 || b.hits.Load() != 4 {
		t.Errorf("%d and %d requests", a.hits.Load(), b.hits.Load())
	}
	b.sick.Store(true)
	p.CheckAll(t.Context())
	if _, err := send(t, p, "GET", ""); err != nil {
		t.Errorf("with every address down none is tried: %v", err)
	}
	a.sick.Store(false)
	p.CheckAll(t.Context())
	before := a.hits.Load()
	send(t, p, "GET", "")
	if a.hits.Load() != before+1 {
		t.Error("an address that is well again gets nothing")
	}
}

func TestRunEnds(t *testing.T) {
	t.Parallel()
	p := newPool(t, Config{Addresses: []string{newMember(t).URL}, Health: Health{Path: "/health", Interval: time.Millisecond}})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { p.Run(ctx) })
	time.Sleep(10 * time.Millisecond)
	cancel()
	wg.Wait()
}

// TestOwnFaultIsNotTheirs: a caller that goes away puts no address in doubt.
func TestOwnFaultIsNotTheirs(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(s.Close)
	p := newPool(t, Config{Addresses: []string{s.URL}})
	for range 4 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		req, _ := http.NewRequestWithContext(ctx, "GET", "http://x/", nil)
		if _, err := p.Send(req, nil); err == nil {
			t.Error("answered")
		}
		cancel()
	}
	if !p.Status()[0].Usable {
		t.Error("the address is avoided")
	}
}

func TestDialMovesOn(t *testing.T) {
	t.Parallel()
	good := newMember(t)
	p := newPool(t, Config{Addresses: []string{refused(t), good.URL}})
	for range 3 {
		c, host, err := p.Dial(t.Context())
		if err != nil || "http://"+host != good.URL {
			t.Fatalf("%s, %v", host, err)
		}
		c.Close()
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]Config{
		"no name":     {Addresses: []string{"http://a"}},
		"no address":  {Name: "b"},
		"no scheme":   {Name: "b", Addresses: []string{"a:80"}},
		"path":        {Name: "b", Addresses: []string{"http://a/base"}},
		"query":       {Name: "b", Addresses: []string{"http://a?x"}},
		"password":    {Name: "b", Addresses: []string{"http://u:p@a"}},
		"mixed":       {Name: "b", Addresses: []string{"http://a", "https://b"}},
		"h2c and TLS": {Name: "b", Addresses: []string{"https://a"}, H2C: true},
		"health":      {Name: "b", Addresses: []string{"http://a"}, Health: Health{Path: "x"}},
	} {
		if _, err := New(c); err == nil || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for text, want := range map[string]string{"http://a": "a:80", "https://a/": "a:443", "http://[::1]": "[::1]:80", "http://a:1": "a:1"} {
		if a, err := parseAddress(text); err != nil || a.dial != want {
			t.Errorf("%s: %+v, %v", text, a, err)
		}
	}
}
