package main

import (
	"context"
	"fmt"
	"time"
)

// paced is how long requests are sent at their rate in one turn.
const paced = 20 * time.Second

// prepareStorm has 10,000 wall boards dropped, which all return at once under
// new names, as documented clients do, while others ask over HTTP. It measures
// the 99th percentile of their answers, in the storm and without.
func prepareStorm(ctx context.Context, l *lab) (stormy, quiet side, err error) {
	h, err := l.hall(ctx, "storm", false)
	if err != nil {
		return nil, nil, err
	}
	turn := 0
	side := func(storm bool) side {
		return func(ctx context.Context, _ time.Duration) (measure, error) {
			if err := h.open(ctx, l); err != nil {
				return measure{}, err
			}
			defer h.process.stop()
			pair, err := h.newPair(ctx)
			if err != nil {
				return measure{}, err
			}
			turn++
			return l.weather(ctx, h, pair, 2*turn, storm)
		}
	}
	return side(true), side(false), nil
}

func (l *lab) weather(ctx context.Context, h *hall, pair made, generation int, storm bool) (measure, error) {
	c, err := gather(ctx, h.board(pair, true, generation), crowdSize, atOnce)
	if err != nil {
		return measure{}, err
	}
	defer func() { c.scatter() }()
	if err := sleep(ctx, calm); err != nil {
		return measure{}, err
	}
	p := l.pace(ctx, h.url()+path, h.key, paced)
	if err := sleep(ctx, time.Second); err != nil {
		return measure{}, err
	}
	from, to := time.Now(), time.Now().Add(paced-2*time.Second)
	if storm {
		c.scatter()
		if c, err = gather(ctx, h.board(pair, true, generation+1), crowdSize, crowdSize); err != nil {
			return measure{}, fmt.Errorf("return: %w", err)
		}
		if now := time.Now(); now.Before(to) {
			to = now
		}
	}
	took, err := p.answers(from, to)
	if err != nil {
		return measure{}, err
	}
	return measure{value: percentile(took, 0.99)}, nil
}
