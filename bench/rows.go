package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

const proxyBare = "bare `httputil.ReverseProxy` with a buffer pool"

// rows are those of the design's table of numbers that this release can be
// measured by, and before them what the machine makes of nothing at all.
var rows = []row{
	{
		name: "noise", what: "bare `net/http` handler", against: "itself",
		aim: 0.95, prepare: prepareNoise,
	},
	{
		name: "forward-auth", what: "forward-auth decision, 10,000 different RS384 tokens in turn, remembered",
		against: "bare `net/http` handler", aim: 0.80, prepare: prepareForwardAuth,
		// What is signed for a caller is sent again for half a minute. Shorter turns,
		// with the other side's between them, would sign more than a server that is
		// busy all the time.
		rounds: 3, time: 30 * time.Second,
	},
	{
		name: "gateway-jwt", what: "request through the gateway with a JWT", against: proxyBare,
		aim: 1, prepare: prepareGateway(func(g *gatehouse) load { return load{turn: g.tokens[:1]} }),
	},
	{
		name: "gateway-key", what: "request through the gateway with an API key", against: proxyBare,
		aim: 1, prepare: prepareGateway(func(g *gatehouse) load { return load{headers: []string{"X-API-Key: " + g.apiKey}} }),
	},
	{
		name: "gateway-basic", what: "request through the gateway with Basic", against: proxyBare,
		aim: 1, prepare: prepareGateway(func(g *gatehouse) load { return load{turn: g.pairs[:1]} }),
	},
	{
		name: "gateway-nginx", what: "request through the gateway with an API key",
		against: "nginx `auth_request` (asking Gatehouse) + `proxy_pass`", aim: 1, prepare: prepareNginx,
	},
	{
		name: "issue", what: "RS384 3072-bit tokens issued", against: "raw signing on the same cores",
		aim: 0.90, prepare: prepareIssue,
	},
	{
		name: "grants", what: "refresh tokens rotated, durably", against: "raw FULL transactions of the same SQLite file",
		aim: 0.38, prepare: prepareGrants,
	},
	{
		name: "opaque", what: "opaque tokens issued, durably", against: "raw FULL transactions of the same SQLite file",
		aim: 0.38, prepare: prepareOpaque,
	},
	{
		name: "cold-start", what: "cold start to the first answered request", against: "bare `net/http` that opens SQLite",
		aim: 5, atMost: true, prepare: prepareColdStart,
	},
}

// prepareNoise compares the bare handler with itself: what comes out beside
// 1.00 is the noise of the machine.
func prepareNoise(ctx context.Context, l *lab) (ours, bare side, err error) {
	for _, s := range []*side{&ours, &bare} {
		p, addr, err := l.startBare(ctx, "empty")
		if err != nil {
			return nil, nil, err
		}
		if *s, err = l.drive(p, addr, load{method: http.MethodGet, path: "/", want: http.StatusNoContent}); err != nil {
			return nil, nil, err
		}
	}
	return ours, bare, nil
}

func prepareForwardAuth(ctx context.Context, l *lab) (ours, bare side, err error) {
	g, err := l.gatehouse(ctx)
	if err != nil {
		return nil, nil, err
	}
	tokens, err := g.getTokens(ctx, l.options.tokens)
	if err != nil {
		return nil, nil, err
	}
	w := load{
		method: http.MethodGet, path: "/-/forward-auth", turn: tokens, want: http.StatusNoContent,
		headers: []string{"X-Original-URI: " + path, "X-Original-Method: GET"},
	}
	if err := g.showEach(ctx, tokens); err != nil {
		return nil, nil, err
	}
	p, addr, err := l.startBare(ctx, "empty")
	if err != nil {
		return nil, nil, err
	}
	return l.both(g, p, addr, w)
}

// showEach shows each token once, so that all are remembered: the row is about
// what comes then, and a turn may be too short for all of them.
func (g *gatehouse) showEach(ctx context.Context, tokens []string) error {
	return each(len(tokens), func(i int) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+g.gate+path, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", tokens[i])
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("a fresh token is answered with %s", res.Status)
		}
		return nil
	})
}

// both drives two servers with the same load.
func (l *lab) both(g *gatehouse, other *process, addr string, w load) (ours, bare side, err error) {
	if ours, err = l.drive(g.process, g.gate, w); err != nil {
		return nil, nil, fmt.Errorf("ours: %w", err)
	}
	if bare, err = l.drive(other, addr, w); err != nil {
		return nil, nil, fmt.Errorf("bare: %w", err)
	}
	return ours, bare, nil
}

func prepareGateway(show func(*gatehouse) load) func(context.Context, *lab) (ours, bare side, err error) {
	return func(ctx context.Context, l *lab) (ours, bare side, err error) {
		g, err := l.gatehouse(ctx)
		if err != nil {
			return nil, nil, err
		}
		if len(g.tokens) == 0 {
			if _, err := g.getTokens(ctx, 1); err != nil {
				return nil, nil, err
			}
		}
		p, addr, err := l.startBare(ctx, "proxy", "-upstream", g.backend)
		if err != nil {
			return nil, nil, err
		}
		w := show(g)
		w.method, w.path, w.want = http.MethodGet, path, http.StatusOK
		return l.both(g, p, addr, w)
	}
}

func prepareNginx(ctx context.Context, l *lab) (ours, bare side, err error) {
	g, err := l.gatehouse(ctx)
	if err != nil {
		return nil, nil, err
	}
	p, addr, err := l.startNginx(ctx, g)
	if err != nil {
		return nil, nil, err
	}
	return l.both(g, p, addr, load{
		method: http.MethodGet, path: path, want: http.StatusOK, headers: []string{"X-API-Key: " + g.apiKey},
	})
}

func prepareIssue(ctx context.Context, l *lab) (ours, bare side, err error) {
	g, err := l.gatehouse(ctx)
	if err != nil {
		return nil, nil, err
	}
	ours, err = l.drive(g.process, g.gate, load{
		method: http.MethodPost, path: "/auth/token", body: tokenRequest, want: http.StatusOK, turn: g.pairs[:1],
		headers: []string{"Content-Type: application/x-www-form-urlencoded"},
	})
	if err != nil {
		return nil, nil, err
	}
	bare, err = rawSigning()
	return ours, bare, err
}
