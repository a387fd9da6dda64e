package acqueon

import (
	"context"
	"sync"
	"time"

	"gatehouse.dev/internal/feed"
)

// lineReport is the one report that is also pushed call by call.
const lineReport = "LineReport"

// The interval is divided into beats, and each conn is of one of them: ten
// thousand conns that are pushed to in one moment would keep everybody else
// waiting. While there are few, they share few beats, because a report is
// encoded anew for each.
const (
	beats     = 100
	leastBeat = 64 // conns that share a beat before another is begun
	stride    = 61 // from one beat that is begun to the next; no divisor of beats
)

// pulse pushes all reports to all initialised conns at the documented interval.
type pulse struct {
	mu    sync.Mutex
	conns [beats]map[*feed.Feed]map[*conn]struct{}
	size  [beats]int
	all   int
}

func (p *pulse) init() {
	for i := range p.conns {
		p.conns[i] = make(map[*feed.Feed]map[*conn]struct{})
	}
}

func (p *pulse) add(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.choose()
	if p.conns[b][c.feed] == nil {
		p.conns[b][c.feed] = make(map[*conn]struct{})
	}
	p.conns[b][c.feed][c] = struct{}{}
	p.size[b]++
	p.all++
	c.beat = b
}

// choose returns a beat that has room.
func (p *pulse) choose() int {
	most := max(leastBeat, p.all/beats+1)
	b := 0
	for p.size[b] >= most {
		b = (b + stride) % beats
	}
	return b
}

func (p *pulse) remove(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	of := p.conns[c.beat]
	if _, ok := of[c.feed][c]; !ok {
		return
	}
	delete(of[c.feed], c)
	if len(of[c.feed]) == 0 {
		delete(of, c.feed)
	}
	p.size[c.beat]--
	p.all--
}

// run beats until ctx ends.
func (p *pulse) run(ctx context.Context) {
	ticker := time.NewTicker(Interval / beats)
	defer ticker.Stop()
	began, done := time.Now(), int64(0)
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			// A tick may be late or left out; a beat is not.
			for due := int64(now.Sub(began) / (Interval / beats)); done < due; done++ {
				p.beat(now, int((done+1)%beats)) // the first, which is filled first, after a whole interval
			}
		}
	}
}

// beat pushes every report as it stands to the conns of one beat. Each gets the
// time of this beat, so it is a publication of its own, shared by these conns.
func (p *pulse) beat(at time.Time, b int) {
	for f, conns := range p.of(b) {
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

func (p *pulse) of(b int) map[*feed.Feed][]*conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	of := make(map[*feed.Feed][]*conn, len(p.conns[b]))
	for f, conns := range p.conns[b] {
		for c := range conns {
			of[f] = append(of[f], c)
		}
	}
	return of
}
