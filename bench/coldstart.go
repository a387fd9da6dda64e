package main

import (
	"context"
	"net/http"
	"path/filepath"
	"time"
)

// prepareColdStart starts both on a database that is there already, and waits
// for an answer that needs it: ours must know the key by then.
func prepareColdStart(ctx context.Context, l *lab) (ours, bare side, err error) {
	g := newGatehouse(l, "cold")
	if err := g.install(ctx, l); err != nil {
		return nil, nil, err
	}
	l.later(g.stopBackend)
	if err := g.start(ctx, l); err != nil {
		return nil, nil, err
	}
	err = g.populate(ctx, 1)
	if err == nil {
		err = g.settle(ctx) // so that its signing keys exist, as they do but once
	}
	g.process.stop()
	if err != nil {
		return nil, nil, err
	}
	database := filepath.Join(l.dir, "bare.db")
	if err := openDatabase(database); err != nil {
		return nil, nil, err
	}
	bareAddr, err := freeAddr()
	if err != nil {
		return nil, nil, err
	}
	ours = starts(g.env, "http://"+g.gate+path, http.Header{"X-Api-Key": {g.apiKey}}, g.binary, "serve")
	bare = starts(nil, "http://"+bareAddr+"/", nil, l.self, "bare", "backend", "-listen", bareAddr, "-database", database)
	return ours, bare, nil
}

// coldStarts is how often a program is started in one turn.
const coldStarts = 3

// starts measures the time from starting a program to its first right answer.
func starts(env []string, url string, h http.Header, name string, args ...string) side {
	return func(ctx context.Context, _ time.Duration) (measure, error) {
		var times []float64
		for range coldStarts {
			began := time.Now()
			p, err := startProcessEnv(env, name, args...)
			if err != nil {
				return measure{}, err
			}
			answered, err := p.answersTo(ctx, url, h, http.StatusOK)
			p.stop()
			if err != nil {
				return measure{}, err
			}
			times = append(times, answered.Sub(began).Seconds())
		}
		return measure{value: median(times)}, nil
	}
}
