package acqueon

import (
	"context"
	"sync"
	"time"

	"gatehouse.dev/internal/feed"
)

// lineReport is the one report that is also pushed call by call.
const lineReport = "LineReport"

// pulse pushes all reports to all initialised conns at the documented interval.
type pulse struct {
	mu    sync.Mutex
	conns map[*feed.Feed]map[*conn]struct{}
}

func (p *pulse) init() { p.conns = make(map[*feed.Feed]map[*conn]struct{}) }

func (p *pulse) add(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns[c.feed] == nil {
		p.conns[c.feed] = make(map[*conn]struct{})
	}
	p.conns[c.feed][c] = struct{}{}
}

func (p *pulse) remove(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns[c.feed], c)
	if len(p.conns[c.feed]) == 0 {
		delete(p.conns, c.feed)
	}
}

// run beats until ctx ends.
func (p *pulse) run(ctx context.Context) {
	ticker := time.NewTicker(Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			p.beat(now)
		}
	}
}

// beat pushes every report as it stands. Each gets the time of this beat, so it
// is a publication of its own, shared by all conns.
func (p *pulse) beat(at time.Time) {
	for f, conns := range p.all() {
		f.State(Reports[:], func(state []*feed.Publication) {
			for _, s := range state {
				beat := &feed.Publication{Report: s.Report, Content: s.Content, At: at}
				for _, c := range conns {
					c.push(beat)
				}
			}
		})
	}
}

func (p *pulse) all() map[*feed.Feed][]*conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make(map[*feed.Feed][]*conn, len(p.conns))
	for f, conns := range p.conns {
		for c := range conns {
			all[f] = append(all[f], c)
		}
	}
	return all
}
