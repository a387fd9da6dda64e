package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Sizes of crowds. A crowd of 10,000 takes as many descriptors of the server and
// of the kit; behind a proxy each takes two of the proxy's.
const (
	crowdSize   = 10_000
	proxiedSize = 5_000
	atOnce      = 64              // visits under way while a crowd gathers
	calm        = 6 * time.Second // between gathering and measuring
)

const bareLoop = "bare `gobwas/ws` loop"

// socketRows are those of the sockets. Each turn is long, so they have few.
var socketRows = []row{
	{
		name: "idle-socket", what: "10,000 idle sockets logged in with FD1, memory of each", against: bareLoop,
		unit: kibibytes, aim: 10, atMost: true, absolute: true, rounds: 2,
		prepare: memoryOf(false, crowdSize, "sockets", (*hall).fd1),
	},
	{
		name: "idle-socket-tls", what: "the same with TLS", against: bareLoop + " with TLS",
		unit: kibibytes, aim: 20, atMost: true, absolute: true, rounds: 2,
		prepare: memoryOf(true, crowdSize, "sockets", (*hall).fd1),
	},
	{
		name: "proxied-socket", what: "5,000 idle sockets through a route, memory of each", against: proxyBare,
		unit: kibibytes, aim: 1, atMost: true, rounds: 2,
		prepare: memoryOf(false, proxiedSize, "proxy", (*hall).proxied),
	},
	{
		name: "login-acqueon", what: "connect and log in with Acqueon key and secret", against: "bare handshakes, " + bareLoop,
		aim: 0.55, rounds: 3, prepare: loginsOf(false, func(ctx context.Context, h *hall) (visit, error) {
			pair, err := h.newPair(ctx)
			return h.board(pair, false, 0), err
		}),
	},
	{
		name: "login-fd1", what: "connect and log in with an FD1 key", against: "bare handshakes, " + bareLoop,
		aim: 0.55, rounds: 3, prepare: loginsOf(false, func(_ context.Context, h *hall) (visit, error) { return h.fd1(h.key), nil }),
	},
	{
		name: "login-fd1-tls", what: "the same with TLS", against: "bare handshakes with TLS, " + bareLoop,
		aim: 0.55, rounds: 3, prepare: loginsOf(true, func(_ context.Context, h *hall) (visit, error) { return h.fd1(h.key), nil }),
	},
	{
		name: "publish", what: "one row published to 10,000 wall boards, until the last has it", against: "broadcast of a " + bareLoop,
		unit: milliseconds, aim: 1.3, atMost: true, rounds: 2, prepare: preparePublish(false),
	},
	{
		name: "publish-tls", what: "the same with TLS", against: "broadcast of a " + bareLoop + " with TLS",
		unit: milliseconds, aim: 1.3, atMost: true, rounds: 1, prepare: preparePublish(true),
	},
	{
		name: "revoke", what: "revoke the key behind 10,000 sockets, until the last is closed", against: "close frames of a " + bareLoop,
		unit: milliseconds, aim: 250, atMost: true, absolute: true, rounds: 3,
		prepare: revocationOf(false, crowdSize, (*hall).fd1),
	},
	{
		name: "revoke-tls", what: "the same with TLS", against: "close frames of a " + bareLoop + " with TLS",
		unit: milliseconds, aim: 250, atMost: true, absolute: true, rounds: 1,
		prepare: revocationOf(true, crowdSize, (*hall).fd1),
	},
	{
		name: "revoke-proxied", what: "revoke the key behind 5,000 proxied sockets, until the last is closed", against: "close frames of a " + bareLoop,
		unit: milliseconds, aim: 250, atMost: true, absolute: true, rounds: 3,
		prepare: revocationOf(false, proxiedSize, (*hall).proxied),
	},
	{
		name: "storm", what: "99th percentile of 200 HTTP requests a second while 10,000 wall boards are dropped and return at once",
		against: "the same without the storm", unit: milliseconds, aim: 5, atMost: true, rounds: 2, prepare: prepareStorm,
	},
}

// hello is what a bare loop says to a newcomer, so that the crowd has something
// to wait for there, too.
const hello = `{"r":"fd1.session.login","rp":"1","data":{}}`

// bareHall starts a bare server anew for each turn.
type bareHall struct {
	l    *lab
	kind string
	addr string
	args []string
	tls  bool
}

func (l *lab) bareHall(h *hall, kind string) (*bareHall, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	b := &bareHall{l: l, kind: kind, addr: addr, tls: h.tls}
	switch kind {
	case "sockets":
		b.args = []string{"-hello", hello}
		if h.tls {
			b.args = append(b.args, "-cert", h.cert, "-key", h.pem)
		}
	case "proxy":
		b.args = []string{"-upstream", h.backend}
	}
	return b, nil
}

func (b *bareHall) open(ctx context.Context) (*process, error) {
	p, err := startProcess(b.l.self, append([]string{"bare", b.kind, "-listen", b.addr}, b.args...)...)
	if err != nil {
		return nil, err
	}
	_, err = p.answers(ctx, b.url(), http.StatusOK)
	return p, err
}

func (b *bareHall) url() string {
	if b.tls {
		return "https://" + b.addr + "/"
	}
	return "http://" + b.addr + "/"
}

func (b *bareHall) visit() visit {
	v := visit{addr: b.addr, path: func(int) string { return "/" }, header: func(int) string { return "" }, frames: 1}
	if b.tls {
		v.tls = anyServer
	}
	return v
}

// patient is for what a busy server is asked besides its sockets.
var patient = &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: anyServer}}

// post asks the bare server for something.
func post(ctx context.Context, url string, body string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	res, err := patient.Do(req)
	if err != nil {
		return err
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s is answered with %s", url, res.Status)
	}
	return nil
}

// turns gives each turn of either side a server of its own, stopped at its end.
func (l *lab) turns(ctx context.Context, secure bool, against string,
	onOurs func(context.Context, *hall) (measure, error),
	onBare func(context.Context, *bareHall, *process) (measure, error),
) (ours, bare side, err error) {
	h, err := l.hall(ctx, "hall", secure)
	if err != nil {
		return nil, nil, err
	}
	b, err := l.bareHall(h, against)
	if err != nil {
		return nil, nil, err
	}
	ours = func(ctx context.Context, _ time.Duration) (measure, error) {
		if err := h.open(ctx, l); err != nil {
			return measure{}, err
		}
		defer h.process.stop()
		return onOurs(ctx, h)
	}
	bare = func(ctx context.Context, _ time.Duration) (measure, error) {
		p, err := b.open(ctx)
		if err != nil {
			return measure{}, err
		}
		defer p.stop()
		return onBare(ctx, b, p)
	}
	return ours, bare, nil
}

// memoryOf measures what one more socket costs.
func memoryOf(secure bool, n int, against string, caller func(*hall, string) visit) func(context.Context, *lab) (side, side, error) {
	return func(ctx context.Context, l *lab) (ours, bare side, err error) {
		return l.turns(ctx, secure, against,
			func(ctx context.Context, h *hall) (measure, error) {
				return weigh(ctx, h.process, caller(h, h.key), n, h.heapTo(l, n))
			},
			func(ctx context.Context, b *bareHall, p *process) (measure, error) {
				return weigh(ctx, p, b.visit(), n, nil)
			})
	}
}

// heapTo keeps what lives on the heap, and the goroutines, for who asked for
// profiles.
func (h *hall) heapTo(l *lab, n int) func() {
	if l.options.profile == "" {
		return nil
	}
	return func() {
		h.keep(filepath.Join(l.options.profile, fmt.Sprintf("heap-%d.txt", n)), "heap?debug=1")
		h.keep(filepath.Join(l.options.profile, fmt.Sprintf("heap-%d.pprof", n)), "heap?gc=1")
	}
}

// weigh returns the bytes of p's memory that one socket of n costs, after one
// has come and gone to warm up.
func weigh(ctx context.Context, p *process, v visit, n int, look func()) (measure, error) {
	first, err := gather(ctx, v, 1, 1)
	if err != nil {
		return measure{}, err
	}
	first.scatter()
	if err := p.settle(ctx); err != nil {
		return measure{}, err
	}
	before, err := p.memory()
	if err != nil {
		return measure{}, err
	}
	c, err := gather(ctx, v, n, atOnce)
	if err != nil {
		return measure{}, err
	}
	defer c.scatter()
	if err := sleep(ctx, calm); err != nil {
		return measure{}, err
	}
	after, err := p.memory()
	if look != nil {
		look()
	}
	if c.ended.Load() > 0 {
		err = fmt.Errorf("%d of %d sockets ended", c.ended.Load(), n)
	}
	return measure{value: (after - before) / float64(n)}, err
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// loginsOf counts clients that come, are let in, and go.
func loginsOf(secure bool, caller func(context.Context, *hall) (visit, error)) func(context.Context, *lab) (side, side, error) {
	return func(ctx context.Context, l *lab) (ours, bare side, err error) {
		h, err := l.hall(ctx, "logins", secure)
		if err != nil {
			return nil, nil, err
		}
		if err := h.open(ctx, l); err != nil {
			return nil, nil, err
		}
		p := h.process
		l.later(p.stop)
		v, err := caller(ctx, h)
		if err != nil {
			return nil, nil, err
		}
		b, err := l.bareHall(h, "sockets")
		if err != nil {
			return nil, nil, err
		}
		q, err := b.open(ctx)
		if err != nil {
			return nil, nil, err
		}
		l.later(q.stop)
		return visits(p, v), visits(q, b.visit()), nil
	}
}

// visits counts them, over so many connections at once.
func visits(p *process, v visit) side {
	return func(ctx context.Context, d time.Duration) (measure, error) {
		var done atomic.Int64
		began, cpu := time.Now(), p.cpu()
		group, ctx := errgroup.WithContext(ctx)
		for range atOnce {
			group.Go(func() error {
				for time.Since(began) < d {
					m, err := v.open(ctx, int(done.Add(1)))
					if err != nil {
						return err
					}
					m.leave()
				}
				return nil
			})
		}
		err := group.Wait()
		n := float64(done.Load())
		return measure{value: n / time.Since(began).Seconds(), cpu: (p.cpu() - cpu) / n}, err
	}
}

// publications is how many rows are published in one turn.
const publications = 9

func preparePublish(secure bool) func(context.Context, *lab) (side, side, error) {
	return func(ctx context.Context, l *lab) (ours, bare side, err error) {
		return l.turns(ctx, secure, "sockets",
			func(ctx context.Context, h *hall) (measure, error) {
				pair, err := h.newPair(ctx)
				if err != nil {
					return measure{}, err
				}
				return broadcast(ctx, h.board(pair, true, 0), h.publish)
			},
			func(ctx context.Context, b *bareHall, _ *process) (measure, error) {
				return broadcast(ctx, b.visit(), func(ctx context.Context, n int) error {
					return post(ctx, b.url()+"publish", fmt.Sprintf(`{"Sender":"ATIRealTimeService","MessageType":"LineReport","Data":%q}`, call(n)))
				})
			})
	}
}

// call is a row of the report, which names its number.
func call(n int) string {
	return fmt.Sprintf(`{"CallID":"call-%d-","Campaign":"Winter","Type":"Voice","RemoteStatus":"In Call","CallState":"In Call","ContactNumber":"HIDDEN"}`, n)
}

// publish sends one row as a publisher does.
func (h *hall) publish(ctx context.Context, n int) error {
	url := fmt.Sprintf("%s/-/feeds/metrics/reports/LineReport/rows/call-%d-", h.url(), n)
	req, err := http.NewRequestWithContext(ctx, http.MethodPatch, url, bytes.NewBufferString(call(n)))
	if err != nil {
		return err
	}
	req.Header.Set("X-API-Key", h.key)
	req.Header.Set("Content-Type", "application/json")
	res, err := patient.Do(req)
	if err != nil {
		return err
	}
	res.Body.Close()
	if res.StatusCode != http.StatusNoContent {
		return fmt.Errorf("publishing is answered with %s", res.Status)
	}
	return nil
}

// broadcast returns the median time from publishing to the last of a crowd that
// has it.
func broadcast(ctx context.Context, v visit, publish func(context.Context, int) error) (measure, error) {
	c, err := gather(ctx, v, crowdSize, atOnce)
	if err != nil {
		return measure{}, err
	}
	defer c.scatter()
	var times []float64
	for n := range publications {
		if err := sleep(ctx, calm/8); err != nil {
			return measure{}, err
		}
		heard := c.hearing(fmt.Sprintf("call-%d-", n))
		began := time.Now()
		if err := publish(ctx, n); err != nil {
			return measure{}, err
		}
		if err := within(ctx, heard, 30*time.Second, "what was published"); err != nil {
			return measure{}, err
		}
		times = append(times, time.Since(began).Seconds())
	}
	return measure{value: median(times)}, nil
}

// revocationOf measures the time from asking for a revocation to the last close.
func revocationOf(secure bool, n int, caller func(*hall, string) visit) func(context.Context, *lab) (side, side, error) {
	return func(ctx context.Context, l *lab) (ours, bare side, err error) {
		return l.turns(ctx, secure, "sockets",
			func(ctx context.Context, h *hall) (measure, error) {
				m, err := h.newKey(ctx)
				if err != nil {
					return measure{}, err
				}
				return dismiss(ctx, caller(h, m.Secret), n, func(ctx context.Context) error {
					closed, err := h.revoke(ctx, m.Credential.ID)
					if err == nil && closed != n {
						err = fmt.Errorf("the receipt counts %d of %d sockets", closed, n)
					}
					return err
				})
			},
			func(ctx context.Context, b *bareHall, _ *process) (measure, error) {
				return dismiss(ctx, b.visit(), n, func(ctx context.Context) error { return post(ctx, b.url()+"close", "") })
			})
	}
}

// dismiss gathers a crowd and measures the time until the last of it is closed.
func dismiss(ctx context.Context, v visit, n int, end func(context.Context) error) (measure, error) {
	c, err := gather(ctx, v, n, atOnce)
	if err != nil {
		return measure{}, err
	}
	defer c.scatter()
	if err := sleep(ctx, calm); err != nil {
		return measure{}, err
	}
	began := time.Now()
	answered := make(chan error, 1)
	go func() { answered <- end(ctx) }() // its answer may come after the last close
	err = within(ctx, c.gone, 10*time.Second, "been closed")
	took := time.Since(began)
	if err != nil {
		err = fmt.Errorf("%w: %d of %d", err, c.ended.Load(), n)
	}
	return measure{value: took.Seconds()}, errors.Join(err, <-answered)
}
