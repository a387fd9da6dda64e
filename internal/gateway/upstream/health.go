package upstream

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// Run checks the addresses until ctx ends, then closes idle connections. When no
// checks are configured it only waits for that.
func (p *Pool) Run(ctx context.Context) error {
	defer p.CloseIdle()
	if p.config.Health.Path == "" {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(p.config.Health.Interval)
	defer tick.Stop()
	for {
		p.CheckAll(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// CheckAll asks every address once, at the same time.
func (p *Pool) CheckAll(ctx context.Context) {
	var wg sync.WaitGroup
	for _, a := range p.addresses {
		wg.Go(func() {
			err := p.ask(ctx, a)
			if ctx.Err() != nil || !a.check(err == nil) {
				return
			}
			if err != nil {
				p.config.Logger.LogAttrs(ctx, slog.LevelWarn, "upstream address is down",
					slog.String("upstream", p.name), slog.String("address", a.host), slog.String("error", err.Error()))
				return
			}
			p.config.Logger.LogAttrs(ctx, slog.LevelInfo, "upstream address is back",
				slog.String("upstream", p.name), slog.String("address", a.host))
		})
	}
	wg.Wait()
}

func (p *Pool) ask(ctx context.Context, a *address) error {
	ctx, cancel := context.WithTimeout(ctx, p.config.Health.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.scheme+"://"+a.host+p.config.Health.Path, nil)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("User-Agent", "gatehouse-health")
	res, err := p.transport.RoundTrip(req) // not counted against MaxConns of the lean client
	if err != nil {
		return err
	}
	defer res.Body.Close()
	io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection can be kept
	if res.StatusCode >= 400 {
		return fmt.Errorf("status %d", res.StatusCode)
	}
	return nil
}
