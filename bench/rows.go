package main

import (
	"context"
	"net/http"
)

// rows are those of the design's table of numbers that this release can be
// measured by, in its order.
var rows = []row{
	{
		name: "baseline", what: "bare `net/http` handler", against: "itself",
		aim: 0.9, prepare: prepareBaseline,
	},
}

// prepareBaseline compares the bare handler with itself: what comes out beside
// 1.00 is the noise of the machine.
func prepareBaseline(ctx context.Context, l *lab) (ours, bare side, err error) {
	for _, s := range []*side{&ours, &bare} {
		addr, err := l.startBare(ctx, "empty")
		if err != nil {
			return nil, nil, err
		}
		if *s, err = l.drive(addr, load{method: "GET", path: "/", want: http.StatusNoContent}); err != nil {
			return nil, nil, err
		}
	}
	return ours, bare, nil
}
